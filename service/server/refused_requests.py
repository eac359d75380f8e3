"""Requests that are rejected regardless of their path."""

from urllib.parse import urlsplit

from aiohttp import HttpVersion10, HttpVersion11, web

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""The methods of our routes. Metrics and the log show other methods as OTHER."""

# Proxies call /auth/verify with the visitor's method, such as those of WebDAV and CalDAV.
_KNOWN = METHODS | {
    *("PROPFIND", "PROPPATCH", "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK", "SEARCH", "REPORT"),
    *("ACL", "BIND", "REBIND", "UNBIND", "MKCALENDAR", "MKACTIVITY", "CHECKOUT", "MERGE"),
}


MOST_SEGMENTS = 32
"""How many segments a path may have: four times as many as our longest route.

The library's router tries a path again and again, each time without its last segment.
"""


LONGEST_HOST = 300
"""The length of the host in a target, with user and port. DNS allows 253 characters."""
LONGEST_LENGTH = 20
"""The number of digits of Content-Length: as many as 64 bits have."""


def require_short_host(target: str) -> None:
    """Raise ValueError for a target with a host that is too long to be decoded."""
    host = target.partition("://")[2].partition("/")[0] or target
    if not target.startswith("/") and len(host) > LONGEST_HOST:
        raise ValueError("a long host")


def refusal(request: web.BaseRequest) -> int | None:
    """Return the status that rejects a request regardless of its path, or None."""
    if request.version is not HttpVersion11 and (
        request.version != HttpVersion10 or "Transfer-Encoding" in request.headers
    ):
        return 400
    if len(request.headers.get("Content-Length", "")) > LONGEST_LENGTH:
        return 400  # Python does not read thousands of digits
    if request.method not in _KNOWN:
        return 405
    if not request.headers.get("Expect", "").isascii():
        return 417  # aiohttp could not repeat it
    target = request.raw_path
    if not (target.startswith("/") or target == "*" or _names_host(request)):
        return 400
    return 404 if target.partition("?")[0].count("/") > MOST_SEGMENTS else None


def _names_host(request: web.BaseRequest) -> bool:
    """Return whether the host of an absolute target equals `Host`."""
    host = request.headers.get("Host")
    try:
        return bool(host) and urlsplit(request.raw_path).netloc.lower() == str(host).lower()
    except ValueError:
        return False
