"""What begins and ends a session answers: the cookie, and where to go."""

from aiohttp import web
from multidict import CIMultiDict

from service import context
from service.session.request import sends_cookie


def set_cookie(request: web.Request, value: str, max_age: int) -> CIMultiDict[str]:
    """Return the headers that set the cookie, or clear it with `max_age` 0.

    A cookie of this host alone, from before COOKIE_DOMAIN was set, would be sent beside the one for
    the domain, and two are refused: whoever sends a cookie has that one cleared.
    """
    domain = request.app[context.CONFIG].cookie_domain
    headers = CIMultiDict({"Set-Cookie": _cookie(request, value, max_age, domain)})
    if domain is not None and sends_cookie(request):
        headers.add("Set-Cookie", _cookie(request, "", 0, None))
    return headers


def move_on(
    request: web.Request, location: str, headers: CIMultiDict[str], *, by_page: bool
) -> web.Response:
    """Lead on by a redirect, or by a page that moves on by itself."""
    if not by_page:
        headers["Location"] = location
        return web.Response(status=302, headers=headers)
    page = request.app[context.VIEWS].render("landing.html", location=location)
    return web.Response(text=page, content_type="text/html", headers=headers)


def _cookie(request: web.Request, value: str, max_age: int, domain: str | None) -> str:
    """Write a `Set-Cookie` value: the same attributes to set and to clear (RFC 6265 4.1)."""
    config = request.app[context.CONFIG]
    secure = "; Secure" if config.cookie_secure else ""
    of_domain = f"; Domain={domain}" if domain else ""
    return (
        f"{config.cookie_name}={value}; HttpOnly{secure}; SameSite={config.cookie_samesite}"
        f"; Path=/{of_domain}; Max-Age={max_age}"
    )
