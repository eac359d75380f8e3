"""The parser of OIDC_REQUIRE: the claims that an account needs to sign in."""

import re

from service.config import commas
from service.config.model import EMAIL_DOMAIN, Requirement
from service.parsing import harmless, urls

_CLAIM = re.compile(r"[!-:<>-~]{1,255}")
_SHAPE = (
    "must be requirements such as hd=example.org; groups=staff: claim=value, separated by"
    " semicolons"
)


def parse(text: str) -> tuple[Requirement, ...]:
    """Parse `claim=value; claim=value`. A value may contain `=` and `,`, as LDAP names do."""
    found = tuple(_requirement(part) for part in map(str.strip, text.split(";")) if part)
    if text and not found:
        raise ValueError(_SHAPE)
    return found


def _requirement(part: str) -> Requirement:
    claim, separator, value = (each.strip() for each in part.partition("="))
    if not separator or not _CLAIM.fullmatch(claim) or not value or not harmless.is_harmless(value):
        raise ValueError(_SHAPE)
    commas.check(value, "requirements")
    if claim != EMAIL_DOMAIN:
        return Requirement(claim, value)
    domain = urls.domain_name(value)
    if domain is None or "." not in domain.rstrip(".") or domain.endswith("."):
        raise ValueError(f"must set {EMAIL_DOMAIN} to a domain such as example.org, without @ or *")
    return Requirement(claim, domain)
