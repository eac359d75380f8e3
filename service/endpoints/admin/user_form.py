"""`/admin/users/new` and `/admin/users/{id}`: create, change and sign out a user."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from service import audit, errors, schemas, users
from service.endpoints.admin import form_errors, page
from service.endpoints.api import requests
from service.parsing import strict_form
from service.providers import identities
from service.session import way_states
from service.web import access, context, submitted

_NOBODY = {"username": "", "name": "", "email": "", "disabled": False, "roles": []}
_ONE = "/admin/users/{id}"


@access.requires_role(users.MANAGE_USERS)
async def new(request: web.Request) -> web.Response:
    """GET /admin/users/new: an empty form."""
    requests.parameters(request, schemas.nothing)
    return await _show_new(request, _NOBODY)


@access.requires_role(users.MANAGE_USERS)
async def create(request: web.Request) -> web.Response:
    """POST /admin/users/new: creates a user."""
    fields = await submitted.form(request)
    try:
        async with context.changing(request) as (tx, by):
            facts = schemas.user(schemas.form(fields), await users.role_ids(tx))
            created = await users.create(tx, by, **facts)
    except form_errors.SHOWN as problem:
        problem.page = await _show_new(request, _typed(fields), faults=form_errors.of(problem))
        raise
    return page.go_on(f"/admin/users/{created['id']}", "user-created")


@access.requires_role(users.MANAGE_USERS)
async def read(request: web.Request) -> web.Response:
    """GET /admin/users/{id}[?done=]: the form of a user."""
    done = page.only_done(request)
    user = await requests.user(request, request.app[context.DATABASE])
    return await _show(request, user, _as_typed(user), user["version"], done=done)


@access.requires_role(users.MANAGE_USERS)
async def update(request: web.Request) -> web.Response:
    """POST /admin/users/{id}: changes a user, unless the user changed since the page."""
    fields = await submitted.form(request)
    try:
        async with context.changing(request) as (tx, by):
            user = await requests.user(request, tx)
            facts, version = schemas.edited(schemas.form(fields), await users.role_ids(tx))
            if version != user["version"]:
                raise errors.PreconditionFailed
            await users.update(tx, by, user, facts)
    except form_errors.SHOWN as problem:
        problem.page = await _show_again(request, fields, problem)
        raise
    return page.go_on(f"/admin/users/{user['id']}", "user-saved")


@access.requires_role(users.MANAGE_USERS)
async def sign_out(request: web.Request) -> web.Response:
    """POST /admin/users/{id}/sign-out: ends all sessions of a user."""
    schemas.nothing(schemas.form(await submitted.form(request)))
    seen = await requests.user(request, request.app[context.DATABASE])
    async with context.changing(request) as (tx, by):
        user = await requests.user(request, tx)
        await users.sign_out(tx, by, user["id"], seen=seen["version"])
    return page.go_on(f"/admin/users/{user['id']}", "user-signed-out")


async def _show_new(
    request: web.Request, typed: Mapping[str, Any], faults: form_errors.Faults = form_errors.NONE
) -> web.Response:
    roles = sorted(await users.role_ids(request.app[context.DATABASE]))
    return page.show(
        request, "new_user.html", faults=faults, typed=typed, roles=roles, meanwhile={}
    )


async def _show_again(
    request: web.Request, fields: strict_form.Fields, problem: errors.Problem
) -> web.Response:
    """Show the form with its values again and, after a conflict, the saved values."""
    database = request.app[context.DATABASE]
    user, typed = await requests.user(request, database), _typed(fields)
    if not isinstance(problem, errors.PreconditionFailed):
        version = dict(fields).get("version", "")
        return await _show(request, user, typed, version, faults=form_errors.of(problem))
    now = _as_typed(user)
    entries, _ = await audit.page(database, audit.Query(limit=1, user=user["id"]))
    newest = entries[0] if entries else None
    return await _show(
        request,
        user,
        typed,
        user["version"],
        meanwhile={name: now[name] for name in now if now[name] != typed[name]},
        # A role that was deleted changes a user too, and is recorded as a change of the role.
        changed=newest if newest and newest["at"] == user["updated_at"] else None,
        is_stale=True,
    )


async def _show(
    request: web.Request,
    user: users.User,
    typed: Mapping[str, Any],
    version: object,
    *,
    done: str = "",
    faults: form_errors.Faults = form_errors.NONE,
    **values: object,
) -> web.Response:
    database = request.app[context.DATABASE]
    roles = sorted(await users.role_ids(database))
    return page.show(
        request,
        "user.html",
        done=done,
        faults=faults,
        **{
            "user": user,
            "typed": typed,
            "version": version,
            "roles": roles,
            "ways": await way_states.of_user(request, user["id"]),
            "identities": await identities.of_user(database, user["id"]),
            "is_self": user["id"] == context.identity(request)["id"],
            "meanwhile": {},
            "changed": None,
            "is_stale": False,
            **values,
        },
    )


def _as_typed(user: users.User) -> dict[str, Any]:
    """Return the initial values of the form of a user."""
    return {
        "username": user["username"],
        "name": user["name"] or "",
        "email": user["email"] or "",
        "disabled": user["disabled"],
        "roles": sorted(role["role"] for role in user["roles"]),
    }


def _typed(fields: strict_form.Fields) -> dict[str, Any]:
    """Return the submitted values, valid or not."""
    last = dict(fields)
    return {
        **{name: last.get(name, "") for name in ("username", "name", "email")},
        "disabled": "disabled" in last,
        "roles": sorted({value for name, value in fields if name == "roles"}),
    }


ROUTES = (
    web.get("/admin/users/new", new),
    web.post("/admin/users/new", create),
    web.get(_ONE, read),
    web.post(_ONE, update),
    web.post(f"{_ONE}/sign-out", sign_out),
)
