"""The ways to sign in that are on, and which of them a user has set up. Never a secret."""

from typing import NamedTuple

from aiohttp import web

from service.credentials import passkeys, passwords, totp
from service.web import context


class Way(NamedTuple):
    """A way to sign in: its name, the user's state, and the page where users change their own."""

    name: str
    state: str
    page: str


async def of_user(request: web.Request, user_id: int) -> list[Way]:
    """Return the ways with credentials of Latchkey itself, in the order of the pages."""
    config, database = request.app[context.CONFIG], request.app[context.DATABASE]
    ways = []
    if config.password_auth:
        phc = await passwords.find(database, user_id)
        ways.append(Way("Password", "not set" if phc is None else "set", "/account/password"))
        if config.second_factor != "off":
            codes = await totp.find(database, user_id)
            state = "not set up" if codes is None else "set up"
            ways.append(Way("One-time codes", state, "/account/codes"))
    if config.offers_passkeys:
        count = len(await passkeys.of_user(database, user_id))
        ways.append(Way("Passkeys", str(count) if count else "none", "/account/passkeys"))
    return ways
