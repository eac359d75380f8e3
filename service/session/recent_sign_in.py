"""Changes of credentials need a recent sign-in, or the current password."""

from urllib.parse import urlencode

from aiohttp import web

from service import errors
from service.session import password
from service.web import context

SECONDS = 600
"""How long a sign-in counts as recent."""


def is_recent(request: web.Request) -> bool:
    """Return whether the caller signed in within ten minutes. Only for closed routes."""
    signed_in_at = context.identity(request).get("auth_time", 0)
    return request.app[context.TOKENS].now() - signed_in_at <= SECONDS


async def require(request: web.Request, current: str | None) -> None:
    """Return if the caller signed in within ten minutes, or `current` is the password.

    Raises ReauthenticationRequired, also for a wrong password, which counts as a failed attempt;
    TooManyAttempts, Overloaded.
    """
    if is_recent(request):
        return
    if current is None or not request.app[context.CONFIG].password_auth:
        raise errors.ReauthenticationRequired
    claims = context.identity(request)
    try:
        user = await password.authenticate(request, claims["username"], current)
    except errors.CredentialsInvalid:
        raise errors.ReauthenticationRequired("The current password is wrong.") from None
    if user["id"] != claims["id"]:
        raise errors.ReauthenticationRequired


def sign_in_link(location: str) -> str:
    """Return the address of a sign-in page that asks to sign in again, and leads to `location`."""
    return f"/auth/login?{urlencode({'next': location, 'again': '1'})}"
