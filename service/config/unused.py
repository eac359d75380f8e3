"""Errors for settings of a disabled provider, which would have no effect."""

from collections.abc import Iterator, Mapping
from typing import Any

from service.config import openid
from service.config.openid_fields import FIELDS, full_name
from service.config.setting import Setting


def of_openid(parsed: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield an error for each setting of the unnamed provider if it is disabled."""
    if openid.is_plain_on(parsed):
        return
    named: tuple[str, ...] = parsed[openid.PROVIDERS]
    for field in FIELDS:
        setting = field.setting(openid.PLAIN)
        value = parsed[setting.name]
        if value in {_default(setting), openid.PLAIN_LABEL}:
            continue
        hint = f". For {named[0]}, use {full_name(named[0], field.suffix)}" if named else ""
        yield setting.name, f"has no effect without OIDC_ISSUER{hint}"


def of_cas(parsed: Mapping[str, Any], settings: tuple[Setting, ...]) -> Iterator[tuple[str, str]]:
    """Yield an error for each setting of CAS if CAS is disabled."""
    if parsed["CAS_URL"] is not None:
        return
    for setting in settings:
        value, default = parsed[setting.name], _default(setting)
        if setting.name == "CAS_SERVICE_URL":
            default = parsed["PUBLIC_URL"]
        if setting.name.startswith("CAS_") and value != default:
            yield setting.name, "has no effect without CAS_URL"


def _default(setting: Setting) -> Any:
    return None if setting.default is None else setting.parse(setting.default)
