"""The caller's own passkeys: `/auth/account/passkeys`, and the page `/account/passkeys`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from aiohttp import web

from service import errors, schemas, users
from service.audit import Actor
from service.credentials import passkeys
from service.credentials.passkeys import Passkey
from service.db import Transaction
from service.endpoints.api import requests
from service.session import own_account, passkey, recent_sign_in, ways
from service.users import User
from service.web import context, responses, scripts, submitted


class Change(NamedTuple):
    """A transaction in which a caller changes one of their passkeys."""

    tx: Transaction
    by: Actor
    user: User
    passkey: Passkey


async def options(request: web.Request) -> web.Response:
    """POST /auth/account/passkeys/options: what to ask an authenticator for."""
    database, caller = request.app[context.DATABASE], context.identity(request)
    user = await users.find_by_id(database, caller["id"])
    if user is None:
        raise errors.TokenRevoked
    known = await passkeys.of_user(database, user["id"])
    return responses.json(passkey.creation_options(request, _subject(request), user, known))


async def create(request: web.Request) -> web.Response:
    """POST /auth/account/passkeys: adds a passkey."""
    passkey.party(request)
    given = schemas.passkey_creation(await submitted.json(request))
    await recent_sign_in.require(request, given.current)
    registered = passkey.registration(request, _subject(request), given.credential)
    async with own_account.changing(request) as (tx, by, user):
        added = await passkey.add(tx, by, user, registered, name=given.name)
    response = responses.json(passkeys.shown(added), status=201)
    response.headers["Location"] = f"/auth/account/passkeys/{added['id']}"
    return response


async def list_own(request: web.Request) -> web.Response:
    """GET /auth/account/passkeys: the caller's passkeys, the oldest first."""
    return responses.json([passkeys.shown(each) for each in await _own(request)])


async def rename(request: web.Request) -> web.Response:
    """PATCH /auth/account/passkeys/{id}: renames a passkey."""
    name = schemas.passkey_name(await submitted.json(request))
    async with _changing(request) as (tx, by, user, found):
        renamed = await passkeys.rename(tx, by, user, found, name)
    return responses.json(passkeys.shown(renamed))


async def delete(request: web.Request) -> web.Response:
    """DELETE /auth/account/passkeys/{id}: removes a passkey, unless it is the last way in."""
    body = await submitted.json(request) if await request.read() else {}
    await recent_sign_in.require(request, schemas.passkey_removal(body))
    async with _changing(request) as (tx, by, user, found):
        await passkeys.delete(tx, by, user, found)
        left = await ways.of_user(request, tx, user["id"])
        if request.app[context.CONFIG].offers_passkeys and not left.count:
            raise errors.LastWayIn
    return web.Response(status=204)


async def page(request: web.Request) -> web.Response:
    """GET /account/passkeys: the caller's passkeys, to add, rename and remove."""
    config = request.app[context.CONFIG]
    return responses.page(
        request,
        "account/passkeys.html",
        headers=scripts.policy(config),
        claims=context.identity(request),
        passkeys=[passkeys.shown(each) for each in await _own(request)],
        is_offered=config.offers_passkeys,
        is_recent=recent_sign_in.is_recent(request),
        sign_in_again=recent_sign_in.sign_in_link("/account/passkeys"),
        most=passkeys.MOST,
        max_name=passkeys.MAX_NAME,
    )


def _subject(request: web.Request) -> str:
    """Return who a challenge is for: a passkey is registered by the user who asked for it."""
    return f"account {context.identity(request)['id']}"


async def _own(request: web.Request) -> list[Passkey]:
    caller = context.identity(request)
    return await passkeys.of_user(request.app[context.DATABASE], caller["id"])


@asynccontextmanager
async def _changing(request: web.Request) -> AsyncIterator[Change]:
    """Change the passkey of the path. Raises PasskeyNotFound, also for those of other users."""
    passkey_id = requests.identifier(request, errors.PasskeyNotFound)
    async with own_account.changing(request) as (tx, by, user):
        found = await passkeys.find_own(tx, user["id"], passkey_id)
        if found is None:
            raise errors.PasskeyNotFound
        yield Change(tx, by, user, found)


ROUTES = (
    web.post("/auth/account/passkeys/options", options),
    web.post("/auth/account/passkeys", create),
    web.get("/auth/account/passkeys", list_own),
    web.patch("/auth/account/passkeys/{id}", rename),
    web.delete("/auth/account/passkeys/{id}", delete),
    web.get("/account/passkeys", page),
)
