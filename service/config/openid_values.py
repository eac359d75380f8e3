"""How the values of an OpenID provider's settings are read: each text to a value, or ValueError."""

import re

from service.parsing import harmless, urls

PLAIN = "oidc"
"""The name of the provider whose settings contain no name: OIDC_ISSUER and so on."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}", re.ASCII)
_RESERVED = frozenset({PLAIN, "callback", "logout", "cas", "bypass"})
_CLAIM = re.compile(r"[!-~]{1,255}")
_SCOPE = re.compile(r"[!#-\[\]-~]{1,255}")
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
    if not harmless.is_harmless(text) or len(text) > 64:
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
