"""Start sessions."""

from collections.abc import Sequence
from typing import NamedTuple

from aiohttp import web
from multidict import CIMultiDict

from service.db import Transaction
from service.providers import sessions
from service.providers.sessions import ProviderSession
from service.session import cookie, loop_guard
from service.session.browser import may_come_from_another_site, next_address
from service.session.fetch_metadata import came_from_another_site
from service.tokens.claims import Claims
from service.users import User
from service.web import context


class NewSession(NamedTuple):
    """A new session whose cookie has not been sent yet."""

    token: str
    claims: Claims


def sign_in(request: web.Request, user: User, *, amr: str) -> web.Response:
    """Start a session for `user`. Return the response with the cookie and the redirect to `next`.

    Raises TokenTooLarge.
    """
    return redirect(request, start(request, user, amr=(amr,)), next_address(request))


def start(request: web.Request, user: User, *, amr: Sequence[str]) -> NewSession:
    """Start a session for `user`. Raises TokenTooLarge."""
    return NewSession(*request.app[context.TOKENS].issue(user, amr=amr))


def redirect(request: web.Request, begun: NewSession, location: str) -> web.Response:
    """Return the response with the cookie of a new session and the redirect."""
    return _respond(request, begun, location=location, by_page=came_from_another_site(request))


def answer(request: web.Request, begun: NewSession, response: web.Response) -> web.Response:
    """Add the cookie of a new session to a response for a program."""
    response.headers.extend(_begin(request, begun))
    return response


async def start_for_provider(
    request: web.Request,
    tx: Transaction,
    user: User,
    came: ProviderSession,
    *,
    amr: Sequence[str],
) -> NewSession:
    """Start a session for `user` after a sign-in at a provider.

    `user` must have been read in this transaction, so that a concurrent disabling or unlinking
    either refuses the sign-in or ends the session. Raises TokenTooLarge, DatabaseUnavailable.
    """
    begun = start(request, user, amr=amr)
    await sessions.record(tx, came, begun.claims)
    return begun


def respond(request: web.Request, begun: NewSession, location: str) -> web.Response:
    """Return the response with the cookie of a provider's session and the redirect."""
    app = request.app
    response = _respond(
        request,
        begun,
        location=location,
        by_page=may_come_from_another_site(request),
    )
    lines, secure = request.headers.getall("Cookie", ()), app[context.CONFIG].cookie_secure
    response.headers.add(
        "Set-Cookie", loop_guard.record(app[context.ENCRYPTED], lines, secure=secure)
    )
    return response


def _respond(
    request: web.Request, begun: NewSession, *, location: str, by_page: bool
) -> web.Response:
    """Return the response with the cookie of a new session.

    With `by_page` and `SameSite=Strict`, return a page that redirects by itself: after a navigation
    from another site, browsers do not send the new cookie with a 302 (RFC 6265bis 5.6.7.1).
    """
    is_strict = request.app[context.CONFIG].cookie_samesite == "Strict"
    page = "landing.html" if by_page and is_strict else None
    return cookie.redirect(request, location, _begin(request, begun), page=page)


def _begin(request: web.Request, begun: NewSession) -> CIMultiDict[str]:
    """Count and log a new session, and return the headers with its cookie.

    All sign-in methods end here.
    """
    token, claims = begun
    amr = claims["amr"][0]
    request.app[context.METRICS].signed_in(amr)
    context.log(request, "sign_in", user=claims["username"], method=amr, sid=claims["sid"])
    return cookie.set_cookie(request, token, claims["exp"] - claims["iat"])
