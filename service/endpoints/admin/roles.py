"""`/admin/roles`: list and create roles."""

from aiohttp import web

from service import schemas, users
from service.endpoints.admin import form_errors, page
from service.web import access, context, submitted

_PATH = "/admin/roles"


@access.requires_role(users.MANAGE_USERS)
async def list_roles(request: web.Request) -> web.Response:
    """GET /admin/roles[?done=]: all roles, with the number of users of each."""
    return await _show(request, "", done=page.only_done(request))


@access.requires_role(users.MANAGE_USERS)
async def create(request: web.Request) -> web.Response:
    """POST /admin/roles: creates a role."""
    fields = await submitted.form(request)
    try:
        role = schemas.role(schemas.form(fields))
        async with context.changing(request) as (tx, by):
            await users.create_role(tx, by, role)
    except form_errors.SHOWN as problem:
        typed = dict(fields).get("role", "")
        problem.page = await _show(request, typed, faults=form_errors.of(problem))
        raise
    return page.go_on(_PATH, "role-created")


async def _show(
    request: web.Request,
    typed: str,
    *,
    done: str = "",
    faults: form_errors.Faults = form_errors.NONE,
) -> web.Response:
    roles = await users.list_roles(request.app[context.DATABASE])
    return page.show(request, "roles.html", done=done, faults=faults, roles=roles, typed=typed)


ROUTES = (web.get(_PATH, list_roles), web.post(_PATH, create))
