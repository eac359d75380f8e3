"""`/api/v1/users/{id}/identities`."""

from aiohttp import web

from service import schemas, users
from service.endpoints.api import read_only, requests
from service.providers import identities
from service.web import access, context, responses, submitted

_PATH = "/api/v1/users/{id}/identities"


@access.requires_role(users.MANAGE_USERS)
async def list_identities(request: web.Request) -> web.Response:
    """GET /api/v1/users/{id}/identities: the provider accounts that are linked to a user."""
    requests.parameters(request, schemas.nothing)
    database = request.app[context.DATABASE]
    user = await requests.user(request, database)
    return responses.json(await identities.of_user(database, user["id"]))


@access.requires_role(users.MANAGE_USERS)
async def link(request: web.Request) -> web.Response:
    """POST /api/v1/users/{id}/identities: links a provider account to a user."""
    sent, given = read_only.split(await submitted.json(request), ("created_at",))
    account = schemas.identity(sent)
    async with context.changing(request) as (tx, by):
        user = await requests.user(request, tx)
        changed = await identities.link(tx, by, user, *account)
        rows = await identities.of_user(tx, user["id"])
        identity = next(row for row in rows if (row["provider"], row["subject"]) == tuple(account))
        read_only.require_unchanged(given, identity)
    return responses.json(identity, status=201 if changed else 200)


@access.requires_role(users.MANAGE_USERS)
async def unlink(request: web.Request) -> web.Response:
    """DELETE /api/v1/users/{id}/identities?provider=&subject=: unlinks a provider account."""
    account = requests.parameters(request, schemas.identity)
    async with context.changing(request) as (tx, by):
        await identities.unlink(tx, by, await requests.user(request, tx), *account)
    return web.Response(status=204)


ROUTES = (
    web.get(_PATH, list_identities),
    web.post(_PATH, link),
    web.delete(_PATH, unlink),
)
