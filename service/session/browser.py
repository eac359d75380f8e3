"""What a request says of itself: where it leads to, and whether it carries our cookie."""

from collections.abc import Sequence

from aiohttp import web

from service.parsing import urls
from service.session.fetch_metadata import came_from_another_site
from service.web import accept, context

_NEXT = ("next", "rd")
ONLY_READ = frozenset(
    {"/auth/login", "/auth/me", "/auth/revocations", "/auth/token", "/auth/verify"}
)
"""What changes nothing under `/auth/`."""


def next_address(request: web.Request) -> str:
    """Return where to go after this, from `next` or `rd`: an allowed address, or `/`."""
    return safe_next(request, [v for name in _NEXT for v in request.query.getall(name, ())])


def safe_next(request: web.Request, values: Sequence[str]) -> str:
    """Return the one address in `values` if a sign-in may lead there, else `/`.

    Nothing of ours that changes something by a GET: a link of another site would sign people in or
    out, since it is we who lead there, and the browser sends the `Strict` cookie along.
    """
    config = request.app[context.CONFIG]
    found = urls.safe_next(values, {config.public_url, *config.allowed_redirects})
    if urls.origin_of(found) not in {None, config.public_url}:
        return found
    path = urls.path_of(found)
    return urls.HOME if path.startswith("/auth/") and path not in ONLY_READ else found


def may_come_from_another_site(request: web.Request) -> bool:
    """Tell the same of a browser that does not say so: an older one, and any on plain http."""
    is_silent = "Sec-Fetch-Site" not in request.headers and accept.prefers_html(request.headers)
    return is_silent or came_from_another_site(request)


def withholds_cookie(request: web.Request) -> bool:
    """Tell whether a browser may keep our cookie back, since a page of another site led here."""
    return (
        came_from_another_site(request)
        and request.app[context.CONFIG].cookie_samesite == "Strict"
        and not sends_cookie(request)
    )


def sends_cookie(request: web.Request) -> bool:
    """Tell whether there may be a session cookie, good or bad, in a request."""
    prefix = request.app[context.CONFIG].cookie_name + "="
    return any(prefix in line for line in request.headers.getall("Cookie", ()))
