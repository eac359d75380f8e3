"""`/api/v1/users/{id}/identities`."""

from aiohttp import web

from service import schemas, users
from service.endpoints.api import linking, requests
from service.providers import identities
from service.web import access, context

_PATH = "/api/v1/users/{id}/identities"


@access.requires_role(users.MANAGE_USERS)
async def list_identities(request: web.Request) -> web.Response:
    """GET /api/v1/users/{id}/identities: the provider accounts that are linked to a user."""
    requests.parameters(request, schemas.nothing)
    database = request.app[context.DATABASE]
    user = await requests.user(request, database)
    return context.json_response(await identities.of_user(database, user["id"]))


@access.requires_role(users.MANAGE_USERS)
async def link(request: web.Request) -> web.Response:
    """POST /api/v1/users/{id}/identities: links a provider account to a user."""
    account = schemas.identity(await requests.body(request))
    _, identity, changed = await linking.link(request, account)
    return context.json_response(identity, status=201 if changed else 200)


@access.requires_role(users.MANAGE_USERS)
async def unlink(request: web.Request) -> web.Response:
    """DELETE /api/v1/users/{id}/identities?provider=&subject=: unlinks a provider account."""
    await linking.unlink(request, requests.parameters(request, schemas.identity))
    return web.Response(status=204)


ROUTES = (
    web.get(_PATH, list_identities),
    web.post(_PATH, link),
    web.delete(_PATH, unlink),
)
