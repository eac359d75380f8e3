"""Go on with the caller's session after a change that ends the user's other sessions."""

from aiohttp import web

from service import users
from service.db import Transaction
from service.session import cookie
from service.session.sign_in import NewSession
from service.tokens.claims import Claims
from service.users import User
from service.web import context


async def end_other_sessions(request: web.Request, tx: Transaction, user: User) -> NewSession:
    """End all sessions of the caller, and return a new token for this one.

    The token has the same `sid`, `auth_time` and `exp`. Raises TokenTooLarge.
    """
    version = await users.sign_out(tx, context.actor(request), user["id"])
    token, current = context.request_info(request).token, _claims(request, user, version)
    return NewSession(*request.app[context.TOKENS].exchange(token, current))


def set_cookie(request: web.Request, begun: NewSession, response: web.Response) -> None:
    """Add the cookie with the new token of this session."""
    rest = begun.claims["exp"] - request.app[context.TOKENS].now()
    response.headers.extend(cookie.set_cookie(request, begun.token, max(rest, 0)))


def _claims(request: web.Request, user: User, version: int) -> Claims:
    """Return the caller's claims with what the user has now."""
    return {
        **context.identity(request),
        "username": user["username"],
        "roles": user["roles"],
        "ver": version,
    }
