"""Checks across the settings of providers (CAS, OpenID Connect)."""

from collections.abc import Iterator
from typing import Any

from service.config import unused
from service.config.settings import SETTINGS

_HTTPS = "must begin with https:// in production"


def complete(parsed: dict[str, Any]) -> None:
    """Fill in the defaults that depend on another setting."""
    if parsed["CAS_SERVICE_URL"] is None:
        parsed["CAS_SERVICE_URL"] = parsed["PUBLIC_URL"]


def unfit(parsed: dict[str, Any], *, production: bool) -> Iterator[tuple[str, str]]:
    """Yield each inconsistent setting with its error."""
    attribute, rules = parsed["CAS_ROLES_ATTRIBUTE"], parsed["CAS_ROLES"]
    if attribute is not None and not rules:
        yield (
            "CAS_ROLES",
            "is missing: map values of CAS_ROLES_ATTRIBUTE to roles, as in role=value",
        )
    if rules and attribute is None:
        yield "CAS_ROLES_ATTRIBUTE", "is missing: name the attribute whose values CAS_ROLES uses"
    if bool(rules) == (attribute is not None):
        yield from unused.of_cas(parsed, SETTINGS)
    yield from unused.of_openid(parsed)
    if not production or parsed["CAS_URL"] is None:
        return
    for name in ("CAS_URL", "CAS_SERVICE_URL"):
        if parsed[name] is not None and not parsed[name].startswith("https://"):
            yield name, _HTTPS
