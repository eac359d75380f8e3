"""URLs as browsers parse them (WHATWG URL): origins and redirect targets."""

import re
from collections.abc import Collection
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import quote, unquote, urlsplit

import idna

_ORIGIN = re.compile(
    r"(?P<scheme>https?)://"
    r"(?P<host>[a-z0-9](?:[a-z0-9_.-]*[a-z0-9])?|\[[0-9a-f:.]+\])"
    r"(?::(?P<port>[0-9]{1,5}))?",
    re.ASCII | re.IGNORECASE,
)
_DEFAULT_PORT = {"http": "80", "https": "443"}
_REFUSED = re.compile(r"[\x00-\x20\x7f-\x9f\\\ud800-\udfff\u2028\u2029]")
_LOOKS_NUMERIC = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)")
_BEFORE_PATH = re.compile(r"^https?://[^/?#]*")
MOST_NEXT = 8_000
"""The maximum length of a redirect target after its host, percent-encoded."""
_MOST_ORIGIN = 300
"""The maximum length of an origin. DNS allows 253 characters in a host."""
HOME = "/"


def origin(text: str) -> str | None:
    """Return an origin `scheme://host[:port]` in canonical form, None if `text` is not one."""
    return _origin(text) if len(text) <= _MOST_ORIGIN else None


@lru_cache(maxsize=512)
def _origin(text: str) -> str | None:
    match = _ORIGIN.fullmatch(text)
    if match is None:
        return None
    scheme, port = match["scheme"].lower(), match["port"]
    if port is not None and not 1 <= int(port) <= 65535:
        return None
    host = _host(match["host"].lower())
    if host is None:
        return None
    suffix = "" if port is None or int(port) == int(_DEFAULT_PORT[scheme]) else f":{int(port)}"
    return f"{scheme}://{host}{suffix}"


def _host(name: str) -> str | None:
    """Return a host in canonical form, None for a name that browsers parse as another address."""
    try:
        if name.startswith("["):
            return f"[{IPv6Address(name[1:-1]).compressed}]"
        if _LOOKS_NUMERIC.fullmatch(name):
            return str(IPv4Address(name))
    except ValueError:
        return None
    return name


def is_address(host: str) -> bool:
    """Return whether browsers parse a lower-case host as an IP address."""
    return host.startswith("[") or _LOOKS_NUMERIC.fullmatch(host) is not None


def safe_next(values: Collection[str], allowed: Collection[str]) -> str:
    """Return the single URL in `values` if a sign-in may redirect to it, else `/`.

    Allows paths on this site and URLs with an origin in `allowed`. Compares parsed URLs, not
    prefixes. The result is ASCII, for a `Location` header. Returns `/` for several values, control
    characters, spaces, backslashes, user names and URLs that are too long.
    """
    address = _allowed(values, allowed)
    return HOME if _is_long(address) else address


def is_too_long(values: Collection[str], allowed: Collection[str]) -> bool:
    """Return whether only the length of the URL in `values` keeps a sign-in from redirecting."""
    return _is_long(_allowed(values, allowed))


def _allowed(values: Collection[str], allowed: Collection[str]) -> str:
    """Return the single URL in `values`, of any length, else `/`."""
    if len(values) != 1:
        return HOME
    (value,) = values
    if _REFUSED.search(value):
        return HOME
    address = _ascii(value) if value.startswith("/") else _absolute(value, allowed)
    return HOME if address.startswith("//") else address


def _is_long(address: str) -> bool:
    return len(address) > MOST_NEXT and len(_BEFORE_PATH.sub("", address)) > MOST_NEXT


def path_of(address: str) -> str:
    """Return the path of a URL from `safe_next`, as a server would read it.

    Browsers remove dot segments in all spellings. Servers decode the rest.
    """
    path = re.split(r"[?#]", _BEFORE_PATH.sub("", address), maxsplit=1)[0]
    kept: list[str] = []
    dots = ""
    for segment in path.split("/")[1:]:
        dots = segment.lower().replace("%2e", ".")
        if dots == "..":
            kept = kept[:-1]
        elif dots != ".":
            kept.append(segment)
    if dots in {".", ".."}:
        kept.append("")
    return unquote("/" + "/".join(kept))


def origin_of(address: str) -> str | None:
    """Return the origin of an absolute HTTP URL, None if it is invalid."""
    return None if _REFUSED.search(address) else _split_origin(address)[0]


def _absolute(value: str, allowed: Collection[str]) -> str:
    base, slash, rest = _split_origin(value)
    return _ascii(f"{base}{slash}{rest}") if base in allowed else HOME


def _split_origin(value: str) -> tuple[str | None, str, str]:
    scheme, separator, after = value.partition("://")
    end = re.search(r"[/?#]", after)
    authority = after[: end.start()] if end else after
    rest = after[end.start() :] if end else ""
    return origin(f"{scheme}{separator}{authority}"), "" if rest.startswith("/") else "/", rest


def _ascii(value: str) -> str:
    return quote(value, safe="/?#[]@!$&'()*+,;=:%~|^`{}\"<>-._", encoding="utf-8")


def host_of(origin_text: str) -> str:
    """Return the host of an origin, without brackets and port."""
    return urlsplit(origin_text).hostname or ""


def domain_name(text: str) -> str | None:
    """Return a domain in ASCII form (IDNA 2008), None if it is invalid."""
    try:
        return idna.encode(text, uts46=True).decode().lower()
    except (idna.IDNAError, UnicodeError):
        return None
