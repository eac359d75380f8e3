"""Request parsing and responses: IDs, queries, entity tags, pages."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from service import errors, schemas, users
from service.db import Database, Transaction
from service.users import User
from service.web import responses


def identifier(request: web.Request, missing: type[errors.Problem]) -> int:
    """Return the `{id}` of the path. Raises `missing` if it is not an ID."""
    text = request.match_info["id"]
    if not schemas.ID.fullmatch(text):
        raise missing
    return int(text)


async def user(request: web.Request, db: Database | Transaction) -> User:
    """Return the user of the path. Raises UserNotFound."""
    return await users.get_by_id(db, identifier(request, errors.UserNotFound))


def parameters(request: web.Request, read: "schemas.Reader[schemas.T]") -> "schemas.T":
    """Return the query, parsed by a function of `schemas`. Raises ValidationError."""
    return read(query(request))


def query(request: web.Request) -> dict[str, str | list[str]]:
    """Return the query parameters. Repeated ones have a list of values."""
    given: dict[str, str | list[str]] = {}
    for name in request.query:
        values = request.query.getall(name)
        given[name] = values[0] if len(values) == 1 else values
    return given


def etag(user: Mapping[str, Any]) -> str:
    """Return the entity tag of a user, its version."""
    return f'"{user["version"]}"'


def require_match(request: web.Request, user: Mapping[str, Any]) -> None:
    """Check `If-Match` if it exists (RFC 9110 section 13.1.1). Raises PreconditionFailed."""
    lines = request.headers.getall("If-Match", ())
    tags = {tag.strip() for line in lines for tag in line.split(",")}
    if tags and not tags & {"*", etag(user)}:
        raise errors.PreconditionFailed


def page(
    request: web.Request, rows: list[Any], after: tuple[str | int, ...] | None
) -> web.Response:
    """Return a page of a list, with a `Link` to the next one (RFC 8288)."""
    response = responses.json(rows)
    if after is not None:
        query = urlencode([*_others(request), ("cursor", schemas.cursor(*after))])
        response.headers["Link"] = f'<{request.path}?{query}>; rel="next"'
    return response


def _others(request: web.Request) -> list[tuple[str, str]]:
    return [(name, value) for name, value in request.query.items() if name != "cursor"]
