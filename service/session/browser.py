"""The redirect target of a request, and whether it sends our cookie."""

from collections.abc import Sequence

from aiohttp import web

from service.parsing import urls
from service.session.fetch_metadata import came_from_another_site
from service.web import accept, context

_NEXT = ("next", "rd")
ONLY_READ = frozenset(
    {"/auth/login", "/auth/me", "/auth/revocations", "/auth/token", "/auth/verify"}
)
"""The paths under `/auth/` that change nothing."""


def next_address(request: web.Request) -> str:
    """Return the redirect target from `next` or `rd`: an allowed URL, or `/`."""
    return safe_next(request, _next(request))


def next_is_too_long(request: web.Request) -> bool:
    """Return whether only the length of `next` or `rd` keeps us from redirecting to it."""
    return is_too_long(request, _next(request))


def _next(request: web.Request) -> list[str]:
    return [value for name in _NEXT for value in request.query.getall(name, ())]


def is_too_long(request: web.Request, values: Sequence[str]) -> bool:
    """Return whether only the length of the URL in `values` keeps us from redirecting to it."""
    return urls.is_too_long(values, _origins(request))


def _origins(request: web.Request) -> set[str]:
    config = request.app[context.CONFIG]
    return {config.public_url, *config.allowed_redirects}


def safe_next(request: web.Request, values: Sequence[str]) -> str:
    """Return the single URL in `values` if a sign-in may redirect to it, else `/`.

    Excludes our own paths that change something by GET: a link on another site could sign users in
    or out, since the browser sends the `Strict` cookie with a redirect of our own.
    """
    found = urls.safe_next(values, _origins(request))
    if urls.origin_of(found) not in {None, request.app[context.CONFIG].public_url}:
        return found
    path = urls.path_of(found)
    return urls.HOME if path.startswith("/auth/") and path not in ONLY_READ else found


def may_come_from_another_site(request: web.Request) -> bool:
    """Return the same for browsers without Fetch Metadata: older ones, and all on plain HTTP."""
    is_silent = "Sec-Fetch-Site" not in request.headers and accept.prefers_html(request.headers)
    return is_silent or came_from_another_site(request)


def withholds_cookie(request: web.Request) -> bool:
    """Return whether the browser may withhold our cookie, because another site led here."""
    return (
        came_from_another_site(request)
        and request.app[context.CONFIG].cookie_samesite == "Strict"
        and not sends_cookie(request)
    )


def sends_cookie(request: web.Request) -> bool:
    """Return whether a request may contain a session cookie, valid or not."""
    prefix = request.app[context.CONFIG].cookie_name + "="
    return any(prefix in line for line in request.headers.getall("Cookie", ()))
