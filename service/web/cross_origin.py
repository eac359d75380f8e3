"""Cross-origin requests (CORS, Fetch Standard): which origins may read an answer in a browser.

Everyone may read the published keys and the feed. The origins of CORS_ORIGINS may also use the
session in the API, by cookie or bearer token. Everything else is only for Latchkey's own pages.
"""

from collections.abc import Iterable
from typing import Literal

from aiohttp import web

from service.config import Config
from service.web import access, context

Sharing = Literal["any", "listed"]
"""Who may read a path: every origin, without credentials, or the origins of CORS_ORIGINS."""

_ANY = frozenset(
    {
        "/auth/revocations",
        "/.well-known/jwks.json",
        "/.well-known/feed-jwks.json",
        "/.well-known/assertion-jwks.json",
    }
)
_LISTED = frozenset({"/auth/me", "/auth/token"})
_LISTED_UNDER = "/api/v1/"

_READABLE = "ETag, Link, Location, Retry-After, WWW-Authenticate, X-Request-ID"
_SENDABLE = "Authorization, Content-Type, If-Match, If-None-Match, X-Requested-With"
_MAX_AGE = "3600"  # seconds; browsers cap it at two hours or more


def sharing(path: str) -> Sharing | None:
    """Return who may read a path or the path of a route, None for nobody."""
    if path in _ANY:
        return "any"
    return "listed" if path in _LISTED or path.startswith(_LISTED_UNDER) else None


def is_listed(request: web.Request) -> bool:
    """Return whether the one `Origin` of a request is in CORS_ORIGINS, in the exact spelling."""
    named = request.headers.getall("Origin", ())
    return len(named) == 1 and named[0] in request.app[context.CONFIG].cors_origins


def share(request: web.Request, response: web.StreamResponse, how: Sharing | None) -> None:
    """Add the headers with which a browser shows an answer to the page that requested it."""
    headers = response.headers
    if how == "any":
        headers["Access-Control-Allow-Origin"] = "*"
    elif how == "listed" and request.app[context.CONFIG].cors_origins:
        headers.add("Vary", "Origin")
        if not is_listed(request):
            return
        headers["Access-Control-Allow-Origin"] = request.headers["Origin"]
        headers["Access-Control-Allow-Credentials"] = "true"
    else:
        return
    headers["Access-Control-Expose-Headers"] = _READABLE


def preflights(routes: Iterable[web.RouteDef], config: Config) -> list[web.RouteDef]:
    """Return an `OPTIONS` route for each path that other origins may read."""
    methods: dict[str, set[str]] = {}
    for route in routes:
        how = sharing(route.path)
        if how == "any" or (how == "listed" and config.cors_origins):
            methods.setdefault(route.path, {"OPTIONS"}).add(route.method)
    return [web.options(path, _preflight(found)) for path, found in methods.items()]


def _preflight(methods: set[str]) -> access.Handler:
    allowed = ", ".join(sorted(methods | ({"HEAD"} if "GET" in methods else set())))

    @access.public
    async def preflight(request: web.Request) -> web.Response:
        """OPTIONS: what a script of another origin may send. Needs no credential."""
        response = web.Response(status=204, headers={"Allow": allowed})
        if sharing(request.path) == "any" or is_listed(request):
            response.headers["Access-Control-Allow-Methods"] = allowed
            response.headers["Access-Control-Allow-Headers"] = _SENDABLE
            response.headers["Access-Control-Max-Age"] = _MAX_AGE
        return response

    return preflight
