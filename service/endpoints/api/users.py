"""`/api/v1/users`."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, cast

from aiohttp import web

from service import errors, schemas, users
from service.endpoints.api import read_only, requests
from service.web import access, context, responses, submitted

_Read = Callable[[object, Mapping[str, int] | None], dict[str, Any]]
_SHOWN = (
    "id", "username", "name", "email", "disabled", "roles", "created_at", "updated_at",
)  # fmt: skip
_READ_ONLY = ("id", "created_at", "updated_at")


@access.public
async def versions(_request: web.Request) -> web.Response:
    """GET /api/: the versions of this API."""
    return responses.json([{"version": "1.0", "url": "/api/v1/"}])


@access.requires_role(users.MANAGE_USERS)
async def list_users(request: web.Request) -> web.Response:
    """GET /api/v1/users[?limit=][&cursor=][&q=][&role=][&disabled=][&sort=]: a page of users."""
    query = requests.parameters(request, schemas.user_query)
    found, after = await users.page(request.app[context.DATABASE], query)
    place = None if after is None else (query.sort, *after)
    return requests.page(request, [_shown(user) for user in found], place)


@access.requires_role(users.MANAGE_USERS)
async def create(request: web.Request) -> web.Response:
    """POST /api/v1/users: creates a user."""
    sent = read_only.without_nulls(await submitted.json(request), _READ_ONLY)
    async with (
        _fields(request, schemas.user, sent) as fields,
        context.changing(request) as (tx, by),
    ):
        created = await users.create(tx, by, **fields)
    return _answer(created, status=201, Location=f"/api/v1/users/{created['id']}")


@access.requires_role(users.MANAGE_USERS)
async def read(request: web.Request) -> web.Response:
    """GET /api/v1/users/{id}: one user, with an entity tag."""
    user = await requests.user(request, request.app[context.DATABASE])
    if responses.is_known(request, requests.etag(user)):
        return responses.not_modified({"ETag": requests.etag(user)})
    return _answer(user)


@access.requires_role(users.MANAGE_USERS)
async def replace(request: web.Request) -> web.Response:
    """PUT /api/v1/users/{id}: replaces all fields of a user. Missing fields get their defaults."""
    return await _update(request, schemas.user)


@access.requires_role(users.MANAGE_USERS)
async def patch(request: web.Request) -> web.Response:
    """PATCH /api/v1/users/{id}: changes some fields of a user (RFC 7396)."""
    return await _update(request, schemas.patch)


@access.requires_role(users.MANAGE_USERS)
async def delete(request: web.Request) -> web.Response:
    """DELETE /api/v1/users/{id}: deletes a user and revokes its tokens."""
    async with context.changing(request) as (tx, by):
        user = await requests.user(request, tx)
        requests.require_match(request, user)
        await users.delete(tx, by, user)
    return web.Response(status=204)


@access.requires_role(users.MANAGE_USERS)
async def sign_out(request: web.Request) -> web.Response:
    """POST /api/v1/users/{id}/sign-out: ends all sessions of a user."""
    seen = await requests.user(request, request.app[context.DATABASE])
    async with context.changing(request) as (tx, by):
        user = await requests.user(request, tx)
        await users.sign_out(tx, by, user["id"], seen=seen["version"])
    return web.Response(status=204)


async def _update(request: web.Request, read: _Read) -> web.Response:
    sent, given = read_only.split(
        await submitted.json(request), _READ_ONLY, null_is_absent=read is schemas.user
    )
    async with (
        _fields(request, read, sent, given) as fields,
        context.changing(request) as (tx, by),
    ):
        user = await requests.user(request, tx)
        requests.require_match(request, user)
        read_only.require_unchanged(given, user)
        updated = await users.update(tx, by, user, fields)
    return _answer(updated)


@asynccontextmanager
async def _fields(
    request: web.Request, read: _Read, sent: object, given: Mapping[str, Any] | None = None
) -> AsyncIterator[dict[str, Any]]:
    """Yield the fields of a body, for a block that writes them. `given` are read-only members.

    The existing roles are read only if something is wrong, to list every fault at once. Raises
    ValidationError.
    """
    database = request.app[context.DATABASE]
    given = given or {}
    is_possible = not given or read_only.are_possible(
        given, requests.identifier(request, errors.UserNotFound)
    )
    try:
        fields = read(sent, None)
        if not is_possible:
            raise errors.ValidationError  # noqa: TRY301  # collected below
    except errors.ValidationError:
        known = await users.role_ids(database)
        more = read_only.faults(given, await requests.user(request, database)) if given else []
        try:
            fields = read(sent, known)
        except errors.ValidationError as invalid:
            if not more:
                raise
            raise errors.ValidationError(errors=[*invalid.errors, *more]) from None
        if not is_possible:
            raise errors.ValidationError(errors=more) from None
    try:
        yield fields
    except errors.RoleNotFound:
        read(sent, await users.role_ids(database))
        raise


def _answer(user: users.User, status: int = 200, **headers: str) -> web.Response:
    response = responses.json(_shown(user), status)
    response.headers.update({"ETag": requests.etag(user), **headers})
    return response


def _shown(user: users.User) -> dict[str, Any]:
    facts = cast("dict[str, Any]", user)
    return {name: facts[name] for name in _SHOWN}


_ONE = "/api/v1/users/{id}"

ROUTES = (
    web.get("/api/", versions),
    web.get("/api/v1/users", list_users),
    web.post("/api/v1/users", create),
    web.get(_ONE, read),
    web.put(_ONE, replace),
    web.patch(_ONE, patch),
    web.delete(_ONE, delete),
    web.post(f"{_ONE}/sign-out", sign_out),
)
