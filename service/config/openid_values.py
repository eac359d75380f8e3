"""How the values of an OpenID provider's settings are read: each text to a value, or ValueError."""

import re
from urllib.parse import parse_qsl, urlsplit

from service.config.model import AuthorizeParam
from service.parsing import harmless, urls

PLAIN = "oidc"
"""The name of the provider whose settings contain no name: OIDC_ISSUER and so on."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}", re.ASCII)
_RESERVED = frozenset({PLAIN, "callback", "logout", "cas", "bypass"})
_CLAIM = re.compile(r"[!-~]{1,255}")
_SCOPE = re.compile(r"[!#-\[\]-~]{1,255}")
_PARAM = re.compile(r"[!-~]{1,64}")
_RESERVED_PARAMS = frozenset(
    {
        "response_type", "response_mode", "client_id", "client_secret", "redirect_uri", "scope",
        "state", "nonce", "code", "code_challenge", "code_challenge_method", "code_verifier",
        "request", "request_uri", "grant_type", "client_assertion", "client_assertion_type",
        "dpop_jkt", "registration", "iss", "error",
    }
)  # fmt: skip
"""Parameters that Latchkey sets, or that change how the response is sent or bound."""
_PARAMS_SUCH_AS = "must be parameters such as prompt=select_account&hd=example.org"
_PARAMS = f"{_PARAMS_SUCH_AS}: name=value, separated by & and percent-encoded, each name once"
_MAX_PARAMS = 2048
_URL = re.compile(r"[!-~]{1,2048}")
PUBLIC_CLIENT = "none"
AUTH_METHODS = ("client_secret_basic", "client_secret_post", PUBLIC_CLIENT)
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


def authorize_params(text: str) -> tuple[AuthorizeParam, ...]:
    """Parse further parameters of the authorization request, as in a query."""
    if len(text) > _MAX_PARAMS:
        raise ValueError(f"{_PARAMS_SUCH_AS}: at most {_MAX_PARAMS:,} characters")
    try:
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=True, errors="strict")
    except ValueError:
        raise ValueError(_PARAMS) from None
    found = tuple(AuthorizeParam(*pair) for pair in pairs)
    for each in found:
        if each.name.lower() in _RESERVED_PARAMS:
            advice = ": use the setting of the scopes" if each.name.lower() == "scope" else ""
            raise ValueError(f"must not contain {each.name.lower()}, which Latchkey sets{advice}")
        if not _PARAM.fullmatch(each.name) or not each.value or not each.value.isprintable():
            raise ValueError(_PARAMS)
    if len({each.name for each in found}) < len(found):
        raise ValueError(_PARAMS)
    return found


def discovery_url(text: str) -> str:
    """Check the URL of a provider's metadata. It may have a query."""
    try:
        parts = urlsplit(text)
    except ValueError:
        parts = urlsplit("")
    is_url = _URL.fullmatch(text) and urls.origin(f"{parts.scheme}://{parts.netloc}") is not None
    if not is_url or parts.fragment:
        raise ValueError(
            "must be a URL such as https://id.example.org/.well-known/openid-configuration"
        )
    return text
