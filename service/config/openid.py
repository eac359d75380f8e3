"""The settings of OpenID providers: one set for each, by the provider's name."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from service.config import commas, parse, requirements
from service.config.model import Config, OpenIdProvider
from service.config.setting import Setting
from service.parsing import client_address, urls

PLAIN = "oidc"
"""The name of the provider whose settings have no name in them: OIDC_ISSUER and so on."""
PLAIN_LABEL = "OpenID Connect"
PROVIDERS = "OIDC_PROVIDERS"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}", re.ASCII)
_RESERVED = frozenset({PLAIN, "callback", "logout", "cas", "bypass"})
_CLAIM = re.compile(r"[!-~]{1,255}")
_SCOPE = re.compile(r"[!#-\[\]-~]{1,255}")
_SAME_CLIENT = (
    "both are the same client of one provider, whose logout tokens could not be told apart"
)
_PATH = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@%/-]{0,1024}")


def names(text: str) -> tuple[str, ...]:
    """Names of providers, separated by commas."""
    found = tuple(part.strip() for part in text.split(",") if part.strip())
    if not all(_NAME.fullmatch(name) for name in found) or len(set(found)) < len(found):
        raise ValueError("must be names such as google,campus: a-z, 0-9 and _, each once")
    if taken := _RESERVED & set(found):
        raise ValueError(f"must not name a provider {' or '.join(sorted(taken))}")
    return found


def issuer(text: str) -> str:
    """An issuer, letter for letter as the provider spells it: `https://host[:port][/path]`."""
    scheme, separator, rest = text.partition("://")
    authority, slash, path = rest.partition("/")
    base = f"{scheme}{separator}{authority}"
    if urls.origin(base) is None or not _PATH.fullmatch(slash + path):
        raise ValueError("must be an address such as https://accounts.example.org, without a query")
    return text


def client_id(text: str) -> str:
    """A client identifier (RFC 6749 appendix A.1)."""
    if not text.isascii() or not text.isprintable() or len(text) > 255:
        raise ValueError("must be what the provider calls us, at most 255 characters")
    return text


def client_secret(text: str) -> str:
    """A client secret, as the provider shows it."""
    if not text.isprintable() or len(text) > 1024:
        raise ValueError("must be the secret as the provider shows it, in one line")
    return text


def label(text: str) -> str:
    """What people call a provider."""
    if not text.isprintable() or len(text) > 64:
        raise ValueError("must be a name of at most 64 characters, for the button")
    return text


def scopes(text: str) -> tuple[str, ...]:
    """Scopes, separated by blanks; `openid` is one of them."""
    found = tuple(dict.fromkeys(text.replace(",", " ").split()))
    if "openid" not in found or not all(_SCOPE.fullmatch(scope) for scope in found):
        raise ValueError("must be scopes separated by blanks, openid among them")
    return found


def claim(text: str) -> str:
    """The name of a claim, or a path to it through objects, with dots."""
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
        setting("ISSUER", issuer, None, "the provider, letter for letter as it calls itself"),
        setting("CLIENT_ID", client_id, None, "what the provider calls us"),
        setting(
            "CLIENT_SECRET", client_secret, None, "the secret that the provider gave us, if any"
        ),
        setting("SCOPES", scopes, "openid profile email", "what the provider is asked to tell"),
        setting("USERNAME_CLAIM", claim, "preferred_username", "the claim that names a new user"),
        setting("NAME", label, None, "what people call the provider"),
        setting("ROLES_CLAIM", claim, None, "the claim that tells roles; unset, none are told"),
        setting(
            "ROLES",
            parse.role_rules,
            "",
            "which role a value of that claim gives: role=value; role=value",
        ),
        setting(
            "REQUIRE",
            requirements.parse,
            "",
            "what the provider must say before it signs anybody in: claim=value; claim=value",
        ),
    )


def full_name(provider: str, suffix: str) -> str:
    """Return the name of a setting of a provider."""
    return f"OIDC_{suffix}" if provider == PLAIN else f"OIDC_{provider.upper()}_{suffix}"


PLAIN_SETTINGS = _settings(PLAIN)
SETTINGS = (
    *PLAIN_SETTINGS,
    Setting(PROVIDERS, names, "", "more OpenID providers, by names: google,campus"),
)


def of_named(text: str) -> tuple[Setting, ...]:
    """Return the settings of the providers that OIDC_PROVIDERS names; none if it cannot be read."""
    try:
        return tuple(setting for name in names(text) for setting in _settings(name))
    except ValueError:
        return ()


def unfit(parsed: Mapping[str, Any], *, production: bool) -> Iterator[tuple[str, str]]:
    """Yield the settings that do not fit together, each with what is wrong."""
    for name in _on(parsed):
        value = _values(parsed, name)
        for suffix in ("ISSUER", "CLIENT_ID"):
            if value[suffix] is None:
                yield full_name(name, suffix), f"is missing: the provider {name} needs it"
        address = value["ISSUER"] or ""
        if production and not address.startswith("https://") and not _is_loopback(address):
            yield full_name(name, "ISSUER"), "must begin with https:// in production"
        if value["ROLES_CLAIM"] is not None and not value["ROLES"]:
            yield full_name(name, "ROLES"), "is missing: which role each value of the claim gives"
        if value["ROLES"] and value["ROLES_CLAIM"] is None:
            yield full_name(name, "ROLES_CLAIM"), "is missing: the claim that the rules speak of"
    yield from _twice(parsed)


def _twice(parsed: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the clients that an earlier provider is already."""
    known: dict[tuple[str, str], str] = {}
    for name in _on(parsed):
        value, setting = _values(parsed, name), full_name(name, "CLIENT_ID")
        if value["ISSUER"] is None or value["CLIENT_ID"] is None:
            continue
        first = known.setdefault((value["ISSUER"], value["CLIENT_ID"]), setting)
        if first != setting:
            yield setting, f"must differ from {first}: {_SAME_CLIENT}"


def take(parsed: dict[str, Any]) -> tuple[OpenIdProvider, ...]:
    """Take the settings of providers out of `parsed`; return the providers. Only if they fit."""
    found = tuple(_provider(name, _values(parsed, name)) for name in _on(parsed))
    for name in [name for name in parsed if name.startswith("OIDC_")]:
        del parsed[name]
    return found


def joined(config: Config) -> Iterator[tuple[str, str]]:
    """Yield each setting with a value that may have been meant as two, and what to do."""
    for provider in config.openid:
        for claim_name, value in provider.require:
            if (name := commas.doubtful(value)) is not None:
                yield (
                    full_name(provider.name, "REQUIRE"),
                    (
                        f"requires one value of {claim_name}, {value}. If {name} is another"
                        " requirement, separate requirements by semicolons."
                    ),
                )


def shown(providers: Iterable[OpenIdProvider]) -> Iterator[tuple[str, object]]:
    """Yield the settings of providers without their secrets; the plain one's in any case."""
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
    """Return the names of the providers that are on."""
    named: tuple[str, ...] = parsed[PROVIDERS]
    return (PLAIN, *named) if is_plain_on(parsed) else named


def is_plain_on(parsed: Mapping[str, Any]) -> bool:
    """Tell whether the provider without a name is on."""
    said = ("ISSUER", "CLIENT_ID", "CLIENT_SECRET")
    return any(parsed[full_name(PLAIN, suffix)] is not None for suffix in said)


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
