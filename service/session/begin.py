"""Beginning a session."""

from typing import Any

from aiohttp import web

from service import accept, context, provider_sessions, returns
from service.provider_sessions import ProviderSession
from service.session import answer
from service.session.request import came_from_another_site, next_address
from service.tokens import Claims


def sign_in(request: web.Request, user: dict[str, Any], *, amr: str) -> web.Response:
    """Begin a session for `user`: answer with the cookie, and lead on to `next`.

    Every way in ends here, or in `sign_in_from`. Raises TokenTooLarge.
    """
    token, claims = request.app[context.TOKENS].issue(user, amr=amr)
    return _land(
        request,
        token,
        claims,
        location=next_address(request),
        by_page=came_from_another_site(request),
    )


async def sign_in_from(
    request: web.Request, user: dict[str, Any], came: ProviderSession, *, amr: str, location: str
) -> web.Response:
    """Begin a session for `user` that a session at a provider opened, and lead on to `location`.

    Raises TokenTooLarge, DatabaseUnavailable.
    """
    app = request.app
    token, claims = app[context.TOKENS].issue(user, amr=amr)
    async with app[context.DATABASE].transaction() as tx:
        await provider_sessions.opened(tx, came, claims)
    # Older browsers, and all on plain http, do not say that another site led here.
    says_nothing = "Sec-Fetch-Site" not in request.headers and accept.prefers_html(
        ", ".join(request.headers.getall("Accept", ()))
    )
    response = _land(
        request,
        token,
        claims,
        location=location,
        by_page=says_nothing or came_from_another_site(request),
    )
    lines, secure = request.headers.getall("Cookie", ()), app[context.CONFIG].cookie_secure
    response.headers.add("Set-Cookie", returns.note(app[context.SEALS], lines, secure=secure))
    return response


def _land(
    request: web.Request, token: str, claims: Claims, *, location: str, by_page: bool
) -> web.Response:
    """Answer with the cookie of a new session.

    With `by_page`, under `SameSite=Strict`, by a page that moves on by itself: after a navigation
    from another site a browser would not send the fresh cookie along a 302 (RFC 6265bis 5.6.7.1).
    """
    app = request.app
    amr = claims["amr"][0]
    app[context.METRICS].signed_in(amr)
    context.log(request, "sign_in", user=claims["username"], method=amr, sid=claims["sid"])
    is_strict = app[context.CONFIG].cookie_samesite == "Strict"
    headers = answer.set_cookie(request, token, claims["exp"] - claims["iat"])
    return answer.move_on(request, location, headers, by_page=by_page and is_strict)
