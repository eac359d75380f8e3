"""How the values of an OpenID provider's settings are read: each text to a value, or ValueError."""

import re

from service.parsing import urls

PLAIN = "oidc"
"""The name of the provider whose settings have no name in them: OIDC_ISSUER and so on."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}", re.ASCII)
_RESERVED = frozenset({PLAIN, "callback", "logout", "cas", "bypass"})
_CLAIM = re.compile(r"[!-~]{1,255}")
_SCOPE = re.compile(r"[!#-\[\]-~]{1,255}")
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
