"""The cookie `latchkey_device`: the accounts that a browser has signed in to before.

Failed attempts from such a browser are counted apart from those of strangers.
"""

import secrets
from typing import NamedTuple

from aiohttp import web

from service import errors
from service.web import context, cookies

NAME = "latchkey_device"
_PURPOSE = "known device"
_SECONDS = 365 * 86_400
_MOST_USERS = 8


class Device(NamedTuple):
    """A browser: a random ID, and the IDs of the users that have signed in, the latest last."""

    id: str
    users: tuple[int, ...] = ()


def read(request: web.Request) -> Device | None:
    """Return the known device of a request, or None."""
    try:
        text = cookies.read(request.headers.getall("Cookie", ()), NAME)
    except errors.CookieAmbiguous:
        return None
    if text is None:
        return None
    found = request.app[context.ENCRYPTED].decrypt(_PURPOSE, text, max_age=_SECONDS)
    return None if found is None else Device(found["id"], tuple(found["users"]))


def remember(request: web.Request, user_id: int) -> str:
    """Return the `Set-Cookie` value after a user has signed in."""
    before = read(request) or Device(secrets.token_urlsafe(16))
    users = (*(each for each in before.users if each != user_id), user_id)[-_MOST_USERS:]
    value = request.app[context.ENCRYPTED].encrypt(_PURPOSE, {"id": before.id, "users": users})
    return cookies.write(
        NAME,
        value,
        path="/auth",
        max_age=_SECONDS,
        samesite="Strict",
        secure=request.app[context.CONFIG].cookie_secure,
    )
