"""`/api/v1/roles`."""

from aiohttp import web

from service import errors, schemas, users
from service.endpoints.api import read_only, requests
from service.web import access, context, responses, submitted


@access.requires_role(users.MANAGE_USERS)
async def list_roles(request: web.Request) -> web.Response:
    """GET /api/v1/roles: all roles, with the number of users of each."""
    requests.parameters(request, schemas.nothing)
    return responses.json(await users.list_roles(request.app[context.DATABASE]))


@access.requires_role(users.MANAGE_USERS)
async def create(request: web.Request) -> web.Response:
    """POST /api/v1/roles: creates a role."""
    role = schemas.role(read_only.without_nulls(await submitted.json(request), ("id", "users")))
    async with context.changing(request) as (tx, by):
        created = await users.create_role(tx, by, role)
    response = responses.json({**created, "users": 0}, status=201)
    response.headers["Location"] = f"/api/v1/roles/{created['id']}"
    return response


@access.requires_role(users.MANAGE_USERS)
async def delete(request: web.Request) -> web.Response:
    """DELETE /api/v1/roles/{id}: deletes a role and revokes it from all users."""
    role_id = requests.identifier(request, errors.RoleNotFound)
    async with context.changing(request) as (tx, by):
        role = (await users.role_by_id(tx, role_id))["role"]
        await users.delete_role(tx, by, role)
    return web.Response(status=204)


ROUTES = (
    web.get("/api/v1/roles", list_roles),
    web.post("/api/v1/roles", create),
    web.delete("/api/v1/roles/{id}", delete),
)
