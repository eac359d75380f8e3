"""`/admin/users/{id}/delete` and `/admin/roles/{id}/delete`: a confirmation, then the deletion."""

from aiohttp import web

from service import errors, schemas, users
from service.endpoints.admin import form_errors, page
from service.endpoints.api import requests
from service.web import access, context, submitted

_USER = "/admin/users/{id}/delete"
_ROLE = "/admin/roles/{id}/delete"


@access.requires_role(users.MANAGE_USERS)
async def ask_user(request: web.Request) -> web.Response:
    """GET /admin/users/{id}/delete: asks for confirmation before a user is deleted."""
    requests.parameters(request, schemas.nothing)
    return await _show_user(request)


@access.requires_role(users.MANAGE_USERS)
async def delete_user(request: web.Request) -> web.Response:
    """POST /admin/users/{id}/delete: deletes a user, unless the user changed since the page."""
    fields = await submitted.form(request)
    try:
        async with context.changing(request) as (tx, by):
            user = await requests.user(request, tx)
            if schemas.seen(schemas.form(fields)) != user["version"]:
                raise errors.PreconditionFailed
            await users.delete(tx, by, user)
    except form_errors.SHOWN as problem:
        problem.page = await _show_user(request, form_errors.of(problem))
        raise
    return page.go_on("/admin", "user-deleted")


@access.requires_role(users.MANAGE_USERS)
async def ask_role(request: web.Request) -> web.Response:
    """GET /admin/roles/{id}/delete: asks for confirmation before a role is deleted."""
    requests.parameters(request, schemas.nothing)
    return await _show_role(request)


@access.requires_role(users.MANAGE_USERS)
async def delete_role(request: web.Request) -> web.Response:
    """POST /admin/roles/{id}/delete: deletes a role and revokes it from all users."""
    fields = await submitted.form(request)
    try:
        schemas.nothing(schemas.form(fields))
        async with context.changing(request) as (tx, by):
            role = (await users.role_by_id(tx, _role_id(request)))["role"]
            await users.delete_role(tx, by, role)
    except form_errors.SHOWN as problem:
        problem.page = await _show_role(request, form_errors.of(problem))
        raise
    return page.go_on("/admin/roles", "role-deleted")


async def _show_user(
    request: web.Request, faults: form_errors.Faults = form_errors.NONE
) -> web.Response:
    user = await requests.user(request, request.app[context.DATABASE])
    return page.show(request, "delete_user.html", faults=faults, user=user)


async def _show_role(
    request: web.Request, faults: form_errors.Faults = form_errors.NONE
) -> web.Response:
    database = request.app[context.DATABASE]
    role = await users.role_by_id(database, _role_id(request))
    holders, more = await users.page(database, users.Query(limit=5, role=role["role"]))
    return page.show(
        request,
        "delete_role.html",
        faults=faults,
        role=role,
        holders=holders,
        more=more is not None,
    )


def _role_id(request: web.Request) -> int:
    return requests.identifier(request, errors.RoleNotFound)


ROUTES = (
    web.get(_USER, ask_user),
    web.post(_USER, delete_user),
    web.get(_ROLE, ask_role),
    web.post(_ROLE, delete_role),
)
