"""What begins and ends a session answers: the cookie, and where to go."""

from aiohttp import web
from multidict import CIMultiDict

from service.session.browser import may_come_from_another_site, sends_cookie
from service.web import context, cookies


def set_cookie(request: web.Request, value: str, max_age: int) -> CIMultiDict[str]:
    """Return the headers that set the cookie, or clear it with `max_age` 0.

    A cookie of this host alone, from before COOKIE_DOMAIN was set, would be sent beside the one for
    the domain, and two are refused: that one is cleared where it may be. A browser that comes from
    a provider's page has it, and does not send it under `SameSite=Strict`.
    """
    domain = request.app[context.CONFIG].cookie_domain
    headers = CIMultiDict({"Set-Cookie": _cookie(request, value, max_age, domain)})
    if domain is not None and (sends_cookie(request) or may_come_from_another_site(request)):
        headers.add("Set-Cookie", _cookie(request, "", 0, None))
    return headers


def redirect(
    request: web.Request, location: str, headers: CIMultiDict[str], *, page: str | None
) -> web.Response:
    """Lead on by a redirect, or by the template of a page that moves on by itself."""
    if page is None:
        headers["Location"] = location
        return web.Response(status=302, headers=headers)
    text = request.app[context.TEMPLATES].render(page, location=location)
    return web.Response(text=text, content_type="text/html", headers=headers)


def _cookie(request: web.Request, value: str, max_age: int, domain: str | None) -> str:
    """Write a `Set-Cookie` value: the same attributes to set and to clear (RFC 6265 4.1)."""
    config = request.app[context.CONFIG]
    return cookies.write(
        config.cookie_name,
        value,
        path="/",
        max_age=max_age,
        samesite=config.cookie_samesite,
        secure=config.cookie_secure,
        domain=domain,
    )
