"""`/api/v1/users/{id}/identities`."""

from aiohttp import web

from service import schemas, users
from service.endpoints.api import linking, requests
from service.providers import identities
from service.web import access, context, responses

_PATH = "/api/v1/users/{id}/identities"


@access.requires_role(users.MANAGE_USERS)
async def list_identities(request: web.Request) -> web.Response:
    """GET /api/v1/users/{id}/identities: the accounts at providers that sign a user in."""
    requests.parameters(request, schemas.nothing)
    database = request.app[context.DATABASE]
    user = await requests.user(request, database)
    return responses.json(await identities.of_user(database, user["id"]))


@access.requires_role(users.MANAGE_USERS)
async def link(request: web.Request) -> web.Response:
    """POST /api/v1/users/{id}/identities: lets an account at a provider sign a user in."""
    account = schemas.identity(await requests.body(request))
    _, identity, changed = await linking.link(request, account)
    return responses.json(identity, status=201 if changed else 200)


@access.requires_role(users.MANAGE_USERS)
async def unlink(request: web.Request) -> web.Response:
    """DELETE /api/v1/users/{id}/identities?provider=&subject=: lets it sign nobody in any more."""
    await linking.unlink(request, requests.parameters(request, schemas.identity))
    return web.Response(status=204)


ROUTES = (
    web.get(_PATH, list_identities),
    web.post(_PATH, link),
    web.delete(_PATH, unlink),
)
