"""`/api/v1/users/{id}/identities`."""

from aiohttp import web

from service import bodies, context, errors, identities, marks, users
from service.endpoints.admin import exchange

_PATH = "/api/v1/users/{id}/identities"


@marks.needs(users.MANAGE_USERS)
async def list_identities(request: web.Request) -> web.Response:
    """GET /api/v1/users/{id}/identities: the accounts at providers that sign a user in."""
    exchange.parameters(request, bodies.nothing)
    database = request.app[context.DATABASE]
    user = await users.require(database, _id(request))
    return context.json_response(await identities.of_user(database, user["id"]))


@marks.needs(users.MANAGE_USERS)
async def link(request: web.Request) -> web.Response:
    """POST /api/v1/users/{id}/identities: lets an account at a provider sign a user in."""
    account = bodies.identity(await exchange.body(request))
    async with context.changing(request) as (tx, by):
        user = await users.require(tx, _id(request))
        changed = await identities.link(tx, by, user, account.provider, account.subject)
        rows = await identities.of_user(tx, user["id"])
    context.log(
        request, "identity_link", user=user["username"], by=by.name, provider=account.provider
    )
    shown = next(row for row in rows if (row["provider"], row["subject"]) == tuple(account))
    return context.json_response(shown, status=201 if changed else 200)


@marks.needs(users.MANAGE_USERS)
async def unlink(request: web.Request) -> web.Response:
    """DELETE /api/v1/users/{id}/identities?provider=&subject=: lets it sign nobody in any more."""
    account = exchange.parameters(request, bodies.identity)
    async with context.changing(request) as (tx, by):
        user = await users.require(tx, _id(request))
        await identities.unlink(tx, by, user, account.provider, account.subject)
    context.log(
        request, "identity_unlink", user=user["username"], by=by.name, provider=account.provider
    )
    return web.Response(status=204)


def _id(request: web.Request) -> int:
    return exchange.identifier(request, errors.UserNotFound)


ROUTES = (
    web.get(_PATH, list_identities),
    web.post(_PATH, link),
    web.delete(_PATH, unlink),
)
