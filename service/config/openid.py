"""The settings of OpenID providers: one set for each, by the provider's name."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from service import urls
from service.config import parse
from service.config.model import RoleRule

PLAIN = "oidc"
"""The name of the provider whose settings have no name in them: OIDC_ISSUER and so on."""
PROVIDERS = "OIDC_PROVIDERS"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}", re.ASCII)
_RESERVED = frozenset({PLAIN, "callback", "logout", "cas", "bypass"})
_CLAIM = re.compile(r"[!-~]{1,255}")
_SCOPE = re.compile(r"[!#-\[\]-~]{1,255}")
_PATH = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@%/-]{0,1024}")


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenIdProvider:
    """A provider and what we are to it. Without a secret we are a public client."""

    name: str
    label: str
    issuer: str
    client_id: str
    client_secret: str | None = field(repr=False)
    scopes: tuple[str, ...]
    username_claim: str
    roles_claim: str | None
    roles: tuple[RoleRule, ...]

    @property
    def start(self) -> str:
        """The path of the way in; the path to come back to is `callback` below it."""
        return "/auth/oidc" if self.name == PLAIN else f"/auth/oidc/{self.name}"

    @property
    def callback(self) -> str:
        """The path that the provider leads back to, each provider to its own."""
        return f"{self.start}/callback"


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


@dataclass(frozen=True, slots=True)
class Part:
    """A setting that each provider has: the end of its name, and what it is."""

    suffix: str
    parse: Callable[[str], Any]
    default: str | None
    meaning: str
    secret: bool = False


PARTS = (
    Part("ISSUER", issuer, None, "the provider, letter for letter as its discovery document says"),
    Part("CLIENT_ID", client_id, None, "what the provider calls us"),
    Part("CLIENT_SECRET", str, None, "the secret that the provider gave us", secret=True),
    Part("SCOPES", scopes, "openid profile email", "what the provider is asked to tell"),
    Part("USERNAME_CLAIM", claim, "preferred_username", "the claim that names a new user"),
    Part("NAME", label, None, "what the button says"),
    Part("ROLES_CLAIM", claim, None, "the claim that tells roles; unset, the provider tells none"),
    Part("ROLES", parse.role_rules, "", "which role a value of the claim gives: role=value; …"),
)


def full(provider: str, suffix: str) -> str:
    """Return the name of a provider's setting."""
    return f"OIDC_{suffix}" if provider == PLAIN else f"OIDC_{provider.upper()}_{suffix}"


def providers(
    parsed: Mapping[str, Any], configured: Iterable[str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each provider that is on, with its values by suffix; `configured` are all names."""
    for name in configured:
        values = {part.suffix: parsed[full(name, part.suffix)] for part in PARTS}
        if name != PLAIN or values["ISSUER"] is not None or values["CLIENT_ID"] is not None:
            yield name, values


def unfit(
    parsed: Mapping[str, Any], configured: Iterable[str], *, production: bool
) -> Iterator[tuple[str, str]]:
    """Yield the settings that do not fit, each with what is wrong."""
    for name, values in providers(parsed, configured):
        for suffix in ("ISSUER", "CLIENT_ID"):
            if values[suffix] is None:
                yield full(name, suffix), "is missing: the provider needs it"
        address = values["ISSUER"] or ""
        if production and address.startswith("http://") and not urls.is_loopback(address):
            yield full(name, "ISSUER"), "must begin with https:// in production"
        if values["ROLES_CLAIM"] is not None and not values["ROLES"]:
            yield full(name, "ROLES"), "is missing: which role each value of the claim gives"
        if values["ROLES"] and values["ROLES_CLAIM"] is None:
            yield full(name, "ROLES_CLAIM"), "is missing: the claim that the rules speak of"


def complete(parsed: Mapping[str, Any], configured: Iterable[str]) -> tuple[OpenIdProvider, ...]:
    """Return the providers that are on. Only for settings that fit."""
    return tuple(
        OpenIdProvider(
            name=name,
            label=values["NAME"] or ("OpenID Connect" if name == PLAIN else name.capitalize()),
            issuer=values["ISSUER"],
            client_id=values["CLIENT_ID"],
            client_secret=values["CLIENT_SECRET"],
            scopes=values["SCOPES"],
            username_claim=values["USERNAME_CLAIM"],
            roles_claim=values["ROLES_CLAIM"],
            roles=values["ROLES"],
        )
        for name, values in providers(parsed, configured)
    )
