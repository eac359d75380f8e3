"""The settings of OpenID providers: a set of settings for each, with the provider's name."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from service.config import commas, parse, requirements
from service.config.model import Config, OpenIdProvider
from service.config.setting import Setting
from service.parsing import client_address, urls

PLAIN = "oidc"
"""The name of the provider whose settings contain no name: OIDC_ISSUER and so on."""
PLAIN_LABEL = "OpenID Connect"
PROVIDERS = "OIDC_PROVIDERS"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}", re.ASCII)
_RESERVED = frozenset({PLAIN, "callback", "logout", "cas", "bypass"})
_CLAIM = re.compile(r"[!-~]{1,255}")
_SCOPE = re.compile(r"[!#-\[\]-~]{1,255}")
_SAME_CLIENT = "both are the same client of one provider, so its logout tokens would be ambiguous"
_PATH = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@%/-]{0,1024}")


def names(text: str) -> tuple[str, ...]:
    """Parse names of providers, separated by commas."""
    found = tuple(part.strip() for part in text.split(",") if part.strip())
    if not all(_NAME.fullmatch(name) for name in found) or len(set(found)) < len(found):
        raise ValueError("must be names such as google,campus: a-z, 0-9 and _, without duplicates")
    if taken := _RESERVED & set(found):
        raise ValueError(f"must not contain the reserved name {' or '.join(sorted(taken))}")
    return found


def issuer(text: str) -> str:
    """Check an issuer, exactly as the provider spells it: `https://host[:port][/path]`."""
    scheme, separator, rest = text.partition("://")
    authority, slash, path = rest.partition("/")
    base = f"{scheme}{separator}{authority}"
    if urls.origin(base) is None or not _PATH.fullmatch(slash + path):
        raise ValueError("must be a URL such as https://accounts.example.org, without a query")
    return text


def client_id(text: str) -> str:
    """Check a client identifier (RFC 6749 appendix A.1)."""
    if not text.isascii() or not text.isprintable() or len(text) > 255:
        raise ValueError("must be the client ID from the provider, at most 255 characters")
    return text


def client_secret(text: str) -> str:
    """Check a client secret."""
    if not text.isprintable() or len(text) > 1024:
        raise ValueError("must be the client secret from the provider, on one line")
    return text


def label(text: str) -> str:
    """Check the display name of a provider."""
    if not text.isprintable() or len(text) > 64:
        raise ValueError("must be a display name of at most 64 characters")
    return text


def scopes(text: str) -> tuple[str, ...]:
    """Parse scopes, separated by spaces. `openid` is required."""
    found = tuple(dict.fromkeys(text.replace(",", " ").split()))
    if "openid" not in found or not all(_SCOPE.fullmatch(scope) for scope in found):
        raise ValueError("must be scopes separated by spaces, including openid")
    return found


def claim(text: str) -> str:
    """Check the name of a claim, or a dotted path to it through objects."""
    if not _CLAIM.fullmatch(text):
        raise ValueError("must be the name of a claim, such as preferred_username or groups")
    return text


def _settings(provider: str) -> tuple[Setting, ...]:
    """Return the settings of a provider."""

    def setting(
        suffix: str, parser: Callable[[str], Any], default: str | None, meaning: str
    ) -> Setting:
        secret = suffix == "CLIENT_SECRET"
        return Setting(full_name(provider, suffix), parser, default, meaning, secret=secret)

    return (
        setting("ISSUER", issuer, None, "the issuer URL, exactly as the provider spells it"),
        setting("CLIENT_ID", client_id, None, "the client ID from the provider"),
        setting("CLIENT_SECRET", client_secret, None, "the client secret, if there is one"),
        setting("SCOPES", scopes, "openid profile email", "the scopes to request"),
        setting("USERNAME_CLAIM", claim, "preferred_username", "the claim with the user name"),
        setting("NAME", label, None, "the display name of the provider"),
        setting("ROLES_CLAIM", claim, None, "the claim with the roles; unset: no roles"),
        setting(
            "ROLES",
            parse.role_rules,
            "",
            "the role for each value of that claim: role=value; role=value",
        ),
        setting(
            "REQUIRE",
            requirements.parse,
            "",
            "the claims that an account needs to sign in: claim=value; claim=value",
        ),
    )


def full_name(provider: str, suffix: str) -> str:
    """Return the name of a setting of a provider."""
    return f"OIDC_{suffix}" if provider == PLAIN else f"OIDC_{provider.upper()}_{suffix}"


PLAIN_SETTINGS = _settings(PLAIN)
SETTINGS = (
    *PLAIN_SETTINGS,
    Setting(PROVIDERS, names, "", "the names of more OpenID providers: google,campus"),
)


def of_named(text: str) -> tuple[Setting, ...]:
    """Return the settings of the providers in OIDC_PROVIDERS; none if its value is invalid."""
    try:
        return tuple(setting for name in names(text) for setting in _settings(name))
    except ValueError:
        return ()


def unfit(parsed: Mapping[str, Any], *, production: bool) -> Iterator[tuple[str, str]]:
    """Yield each inconsistent setting with its error."""
    for name in _on(parsed):
        value = _values(parsed, name)
        for suffix in ("ISSUER", "CLIENT_ID"):
            if value[suffix] is None:
                yield full_name(name, suffix), f"is missing: the provider {name} requires it"
        address = value["ISSUER"] or ""
        if production and not address.startswith("https://") and not _is_loopback(address):
            yield full_name(name, "ISSUER"), "must begin with https:// in production"
        if value["ROLES_CLAIM"] is not None and not value["ROLES"]:
            yield full_name(name, "ROLES"), "is missing: map values to roles, as in role=value"
        if value["ROLES"] and value["ROLES_CLAIM"] is None:
            yield full_name(name, "ROLES_CLAIM"), "is missing: name the claim that the rules use"
    yield from _twice(parsed)


def _twice(parsed: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the providers that repeat the client of an earlier provider."""
    known: dict[tuple[str, str], str] = {}
    for name in _on(parsed):
        value, setting = _values(parsed, name), full_name(name, "CLIENT_ID")
        if value["ISSUER"] is None or value["CLIENT_ID"] is None:
            continue
        first = known.setdefault((value["ISSUER"], value["CLIENT_ID"]), setting)
        if first != setting:
            yield setting, f"must differ from {first}: {_SAME_CLIENT}"


def take(parsed: dict[str, Any]) -> tuple[OpenIdProvider, ...]:
    """Remove the provider settings from `parsed` and return the providers. They must be valid."""
    found = tuple(_provider(name, _values(parsed, name)) for name in _on(parsed))
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
        for setting in _settings(name):
            suffix = setting.name.removeprefix(full_name(name, ""))
            yield setting.name, None if provider is None else _shown(provider, suffix)
    yield PROVIDERS, ", ".join(name for name in found if name != PLAIN) or None


def _shown(provider: OpenIdProvider, suffix: str) -> object:
    if suffix == "CLIENT_SECRET":
        return "(set)" if provider.client_secret else None
    value: object = getattr(provider, {"NAME": "label"}.get(suffix, suffix.lower()))
    if isinstance(value, tuple):
        return ("; " if suffix in {"ROLES", "REQUIRE"} else " ").join(map(str, value)) or None
    return value


def _on(parsed: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the enabled providers."""
    named: tuple[str, ...] = parsed[PROVIDERS]
    return (PLAIN, *named) if is_plain_on(parsed) else named


def is_plain_on(parsed: Mapping[str, Any]) -> bool:
    """Return whether the unnamed provider is enabled."""
    switches = ("ISSUER", "CLIENT_ID", "CLIENT_SECRET")
    return any(parsed[full_name(PLAIN, suffix)] is not None for suffix in switches)


def _values(parsed: Mapping[str, Any], provider: str) -> dict[str, Any]:
    prefix = full_name(provider, "")
    return {
        setting.name.removeprefix(prefix): parsed[setting.name] for setting in _settings(provider)
    }


def _provider(name: str, value: Mapping[str, Any]) -> OpenIdProvider:
    start = "/auth/oidc" if name == PLAIN else f"/auth/oidc/{name}"
    return OpenIdProvider(
        name=name,
        label=value["NAME"] or (PLAIN_LABEL if name == PLAIN else name.capitalize()),
        issuer=value["ISSUER"],
        client_id=value["CLIENT_ID"],
        client_secret=value["CLIENT_SECRET"],
        scopes=value["SCOPES"],
        username_claim=value["USERNAME_CLAIM"],
        roles_claim=value["ROLES_CLAIM"],
        roles=value["ROLES"],
        require=value["REQUIRE"],
        start=start,
        callback=f"{start}/callback",
    )


def _is_loopback(address: str) -> bool:
    host = urls.host_of(address)
    known = client_address.address(host)
    return host == "localhost" or (known is not None and known.is_loopback)
