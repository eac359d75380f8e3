"""Settings of a provider that is not switched on: they would have no effect without a word."""

from collections.abc import Iterator, Mapping
from typing import Any

from service.config import openid
from service.config.setting import Setting


def of_openid(parsed: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the settings of the plain provider, if it is off, each with what is wrong."""
    if openid.is_plain_on(parsed):
        return
    named: tuple[str, ...] = parsed[openid.PROVIDERS]
    for field in openid.FIELDS:
        setting = field.setting(openid.PLAIN)
        value = parsed[setting.name]
        if value in {_default(setting), openid.PLAIN_LABEL}:
            continue
        hint = f". For {named[0]} write {openid.full_name(named[0], field.suffix)}" if named else ""
        yield setting.name, f"is for the provider of OIDC_ISSUER, which is not set{hint}"


def of_cas(parsed: Mapping[str, Any], settings: tuple[Setting, ...]) -> Iterator[tuple[str, str]]:
    """Yield the settings of CAS, if it is off, each with what is wrong."""
    if parsed["CAS_URL"] is not None:
        return
    for setting in settings:
        value, default = parsed[setting.name], _default(setting)
        if setting.name == "CAS_SERVICE_URL":
            default = parsed["PUBLIC_URL"]
        if setting.name.startswith("CAS_") and value != default:
            yield setting.name, "is for the CAS server of CAS_URL, which is not set"


def _default(setting: Setting) -> Any:
    return None if setting.default is None else setting.parse(setting.default)
