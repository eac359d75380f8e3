"""OIDC_REQUIRE: what a provider must say of an account before it may sign in, read strictly."""

import re

from service.config import commas
from service.config.model import EMAIL_DOMAIN, Requirement
from service.parsing import urls

_CLAIM = re.compile(r"[!-:<>-~]{1,255}")
_SHAPE = (
    "must be requirements such as hd=example.org; groups=staff, separated by semicolons:"
    " the name of a claim, = and the value that it must have"
)


def parse(text: str) -> tuple[Requirement, ...]:
    """`claim=value; claim=value`. A value may contain `=` and `,`, as names of LDAP do."""
    found = tuple(_requirement(part) for part in map(str.strip, text.split(";")) if part)
    if text and not found:
        raise ValueError(_SHAPE)
    return found


def _requirement(part: str) -> Requirement:
    claim, separator, value = (each.strip() for each in part.partition("="))
    if not separator or not _CLAIM.fullmatch(claim) or not value or not value.isprintable():
        raise ValueError(_SHAPE)
    commas.check(value, "requirements")
    if claim != EMAIL_DOMAIN:
        return Requirement(claim, value)
    domain = urls.domain_name(value)
    if domain is None or "." not in domain.rstrip(".") or domain.endswith("."):
        raise ValueError(
            f"must give {EMAIL_DOMAIN} as a domain such as example.org, without @ or *"
        )
    return Requirement(claim, domain)
