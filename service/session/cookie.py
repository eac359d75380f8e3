"""The responses of sign-in and sign-out: the cookie and the redirect."""

from aiohttp import web
from multidict import CIMultiDict

from service.session.browser import may_come_from_another_site, sends_cookie
from service.web import context, cookies


def set_cookie(request: web.Request, value: str, max_age: int) -> CIMultiDict[str]:
    """Return the headers that set the cookie, or clear it with `max_age` 0.

    With COOKIE_DOMAIN, also clear a host-only cookie from before the setting, unless there can be
    none: browsers would send both, and two session cookies are rejected. After a redirect from a
    provider's page, a browser does not send it under `SameSite=Strict`, but may have it.
    """
    domain = request.app[context.CONFIG].cookie_domain
    headers = CIMultiDict({"Set-Cookie": _cookie(request, value, max_age, domain)})
    if domain is not None and (sends_cookie(request) or may_come_from_another_site(request)):
        headers.add("Set-Cookie", _cookie(request, "", 0, None))
    return headers


def redirect(
    request: web.Request, location: str, headers: CIMultiDict[str], *, page: str | None
) -> web.Response:
    """Return a redirect, or a page from a template that redirects by itself."""
    if page is None:
        headers["Location"] = location
        return web.Response(status=302, headers=headers)
    text = request.app[context.TEMPLATES].render(page, location=location)
    return web.Response(text=text, content_type="text/html", headers=headers)


def _cookie(request: web.Request, value: str, max_age: int, domain: str | None) -> str:
    """Return a `Set-Cookie` value. Setting and clearing use the same attributes (RFC 6265 4.1)."""
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
