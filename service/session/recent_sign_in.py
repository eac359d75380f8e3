"""Changes of credentials need a recent sign-in, or the current password."""

from aiohttp import web

from service import errors
from service.session import password
from service.web import context

SECONDS = 600
"""How long a sign-in counts as recent."""


async def require(request: web.Request, current: str | None) -> None:
    """Return if the caller signed in within ten minutes, or `current` is the password.

    Raises ReauthenticationRequired, CredentialsInvalid, TooManyAttempts, Overloaded.
    """
    claims = context.identity(request)
    if current is not None and request.app[context.CONFIG].password_auth:
        user = await password.authenticate(request, claims["username"], current)
        if user["id"] == claims["id"]:
            return
    if not is_recent(request):
        raise errors.ReauthenticationRequired


def is_recent(request: web.Request) -> bool:
    """Return whether the caller signed in within ten minutes."""
    signed_in_at = context.identity(request).get("auth_time", 0)
    return request.app[context.TOKENS].now() - signed_in_at <= SECONDS
