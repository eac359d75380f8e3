"""`/admin/roles`: the roles, and a form for a new one."""

from aiohttp import web

from service import bodies, context, marks, users
from service.endpoints.admin import exchange
from service.endpoints.admin.pages import faults, frame

_PATH = "/admin/roles"


@marks.needs(users.MANAGE_USERS)
async def list_roles(request: web.Request) -> web.Response:
    """GET /admin/roles[?done=]: all roles, with how many users have each."""
    return await _show(request, "", done=frame.only_done(request))


@marks.needs(users.MANAGE_USERS)
async def create(request: web.Request) -> web.Response:
    """POST /admin/roles: creates a role."""
    fields = await exchange.form(request)
    try:
        role = bodies.role(bodies.form(fields))
        async with context.changing(request) as (tx, by):
            await users.create_role(tx, by, role)
    except faults.SHOWN as problem:
        typed = dict(fields).get("role", "")
        context.call(request).page = await _show(request, typed, said=faults.of(problem))
        raise
    context.log(request, "role_create", role=role, by=by.name)
    return frame.go_on(_PATH, "role-created")


async def _show(
    request: web.Request, typed: str, *, done: str = "", said: faults.Faults = faults.NONE
) -> web.Response:
    roles = await users.roles(request.app[context.DATABASE])
    return frame.show(request, "roles.html", done=done, faults=said, roles=roles, typed=typed)


ROUTES = (web.get(_PATH, list_roles), web.post(_PATH, create))
