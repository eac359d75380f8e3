"""A passkey by a link: the options for an authenticator, and its answer."""

from aiohttp import web

from service import schemas
from service.audit import Actor
from service.credentials import links, passkeys
from service.credentials.links import Link
from service.db import Transaction
from service.login import link_users
from service.login.link_users import Chosen
from service.session import passkey
from service.users import User
from service.web import access, context, responses, submitted

_PATH = "/auth/links/{secret}/passkey/options"


@access.public
async def options(request: web.Request) -> web.Response:
    """POST /auth/links/{secret}/passkey/options: what to ask an authenticator for."""
    passkey.party(request)
    database, secret = request.app[context.DATABASE], request.match_info["secret"]
    async with request.app[context.LOOKUPS]:
        link = await links.find(database, secret)
        known = await passkeys.of_user(database, link.user["id"]) if link.user else []
    given = schemas.link_user(await submitted.json(request), is_new=link.user is None)
    username = await link_users.username(request, link, given.username)
    shown = {"username": username, "name": link.user["name"] if link.user else None}
    subject = _subject(link, username)
    return responses.json(passkey.creation_options(request, subject, shown, known))


async def chosen(request: web.Request, link: Link, body: object) -> Chosen:
    """Return a new passkey. Raises ValidationError, UsernameTaken, PasskeyNotAdded."""
    given = schemas.link_passkey(body, is_new=link.user is None)
    username = await link_users.username(request, link, given.username)
    registered = passkey.registration(request, _subject(link, username), given.credential)

    async def save(tx: Transaction, by: Actor, user: User) -> bool:
        await passkey.add(tx, by, user, registered, name=given.name)
        return False

    return Chosen(username, save, passkey.AMR)


def _subject(link: Link, username: str) -> str:
    """Return what a challenge is for: a passkey is registered by the link that asked for it."""
    return f"link {link.id} {username}"


ROUTES = (web.post(_PATH, options),)
