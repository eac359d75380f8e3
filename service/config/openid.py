"""The settings of OpenID providers: a set of settings for each, with the provider's name."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from service.config import commas
from service.config import openid_values as values
from service.config.model import Config, OpenIdProvider
from service.config.openid_fields import FIELDS, Field, full_name
from service.config.setting import Setting
from service.parsing import client_address, urls

PLAIN = values.PLAIN
PLAIN_LABEL = "OpenID Connect"
PROVIDERS = "OIDC_PROVIDERS"
_SEPARATORS = {"scopes": " ", "authorize_params": "&"}
_SAME_CLIENT = "both are the same client of one provider, so its logout tokens would be ambiguous"


SETTINGS = (
    *(field.setting(PLAIN) for field in FIELDS),
    Setting(PROVIDERS, values.names, "", "the names of more OpenID providers: google,campus"),
)


def of_named(text: str) -> tuple[Setting, ...]:
    """Return the settings of the providers in OIDC_PROVIDERS; none if its value is invalid."""
    try:
        return tuple(field.setting(name) for name in values.names(text) for field in FIELDS)
    except ValueError:
        return ()


def unfit(parsed: Mapping[str, Any], *, production: bool) -> Iterator[tuple[str, str]]:
    """Yield each inconsistent setting with its error."""
    for name in _on(parsed):
        value = _fields(parsed, name)
        for suffix in ("ISSUER", "CLIENT_ID"):
            if value[suffix.lower()] is None:
                yield full_name(name, suffix), f"is missing: the provider {name} requires it"
        for suffix in ("ISSUER", "DISCOVERY_URL"):
            address = value[suffix.lower()] or ("" if suffix == "ISSUER" else "https://")
            if production and not address.startswith("https://") and not _is_loopback(address):
                yield full_name(name, suffix), "must begin with https:// in production"
        yield from _unfit_method(name, value)
        if value["roles_claim"] is not None and not value["roles"]:
            yield (
                full_name(name, "ROLES"),
                "is missing: map values of the claim to roles, as in role=value",
            )
        if value["roles"] and value["roles_claim"] is None:
            yield (
                full_name(name, "ROLES_CLAIM"),
                "is missing: name the claim whose values the rules use",
            )
    yield from _twice(parsed)


def _unfit_method(name: str, value: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    method, has_secret = value["auth_method"], value["client_secret"] is not None
    if method == values.PUBLIC_CLIENT and has_secret:
        yield full_name(name, "TOKEN_ENDPOINT_AUTH_METHOD"), "must not be none with a client secret"
    if method not in (None, values.PUBLIC_CLIENT) and not has_secret:
        yield full_name(name, "CLIENT_SECRET"), f"is missing: {method} requires it"


def _twice(parsed: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the providers that repeat the client of an earlier provider."""
    known: dict[tuple[str, str], str] = {}
    for name in _on(parsed):
        value, setting = _fields(parsed, name), full_name(name, "CLIENT_ID")
        if value["issuer"] is None or value["client_id"] is None:
            continue
        first = known.setdefault((value["issuer"], value["client_id"]), setting)
        if first != setting:
            yield setting, f"must differ from {first}: {_SAME_CLIENT}"


def take(parsed: dict[str, Any]) -> tuple[OpenIdProvider, ...]:
    """Remove the provider settings from `parsed` and return the providers. They must be valid."""
    found = tuple(_provider(name, **_fields(parsed, name)) for name in _on(parsed))
    for name in [name for name in parsed if name.startswith("OIDC_")]:
        del parsed[name]
    return found


def joined(config: Config) -> Iterator[tuple[str, str]]:
    """Yield each setting whose value may contain two requirements, with a warning."""
    for provider in config.openid:
        for claim_name, value in provider.require:
            if (name := commas.doubtful(value)) is not None:
                yield (
                    full_name(provider.name, "REQUIRE"),
                    (
                        f"requires the value {value} of {claim_name}. If {name} is another"
                        " requirement, separate requirements with semicolons."
                    ),
                )


def shown(providers: Iterable[OpenIdProvider]) -> Iterator[tuple[str, object]]:
    """Yield the settings of all providers without secrets, always including the unnamed one."""
    found = {provider.name: provider for provider in providers}
    for name in dict.fromkeys((PLAIN, *found)):
        provider = found.get(name)
        for field in FIELDS:
            value = None if provider is None else getattr(provider, field.name)
            yield full_name(name, field.suffix), _shown(field, value)
    yield PROVIDERS, ", ".join(name for name in found if name != PLAIN) or None


def _shown(field: Field, value: object) -> object:
    if field.name == "client_secret":
        return "(set)" if value else None
    if isinstance(value, tuple):
        return _SEPARATORS.get(field.name, "; ").join(map(str, value)) or None
    return value


def _on(parsed: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the enabled providers."""
    named: tuple[str, ...] = parsed[PROVIDERS]
    return (PLAIN, *named) if is_plain_on(parsed) else named


def is_plain_on(parsed: Mapping[str, Any]) -> bool:
    """Return whether the unnamed provider is enabled."""
    switches = ("ISSUER", "CLIENT_ID", "CLIENT_SECRET")
    return any(parsed[full_name(PLAIN, suffix)] is not None for suffix in switches)


def is_any_on(parsed: Mapping[str, Any]) -> bool:
    """Return whether a provider is enabled."""
    return bool(_on(parsed))


def _fields(parsed: Mapping[str, Any], provider: str) -> dict[str, Any]:
    return {field.name: parsed[full_name(provider, field.suffix)] for field in FIELDS}


def _provider(name: str, *, label: str | None, **fields: Any) -> OpenIdProvider:
    start = "/auth/oidc" if name == PLAIN else f"/auth/oidc/{name}"
    return OpenIdProvider(
        name=name,
        label=label or (PLAIN_LABEL if name == PLAIN else name.capitalize()),
        start=start,
        callback=f"{start}/callback",
        **fields,
    )


def _is_loopback(address: str) -> bool:
    host = urls.host_of(address)
    known = client_address.address(host)
    return host == "localhost" or (known is not None and known.is_loopback)
