"""How the API reads requests and writes answers: JSON bodies, ids, entity tags, pages."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from service import bodies, context, errors, strict_json

_JSON = frozenset({"application/json", "application/merge-patch+json"})


async def body(request: web.Request) -> Any:
    """Return the JSON value that was sent. Raises ContentTypeUnsupported, JsonInvalid."""
    charset = (request.charset or "utf-8").lower()
    if request.content_type not in _JSON or charset not in {"utf-8", "utf8"}:
        raise errors.ContentTypeUnsupported
    try:
        return strict_json.loads(await request.read())
    except (ValueError, RecursionError):
        raise errors.JsonInvalid from None


def identifier(request: web.Request, missing: type[errors.Problem]) -> int:
    """Return the `{id}` of the path; raise `missing` if it is not one."""
    text = request.match_info["id"]
    if not bodies.ID.fullmatch(text):
        raise missing
    return int(text)


def parameters(request: web.Request, read: bodies.Reader[bodies.T]) -> bodies.T:
    """Return the query, read by a function of `bodies`. Raises ValidationError."""
    given: dict[str, str | list[str]] = {}
    for name in request.query:
        values = request.query.getall(name)
        given[name] = values[0] if len(values) == 1 else values
    return read(given)


def etag(user: Mapping[str, Any]) -> str:
    """Return the entity tag of a user: its version."""
    return f'"{user["version"]}"'


def require_match(request: web.Request, user: Mapping[str, Any]) -> None:
    """Check `If-Match`, when there is one (RFC 9110 section 13.1.1). Raises PreconditionFailed."""
    lines = request.headers.getall("If-Match", ())
    tags = {tag.strip() for line in lines for tag in line.split(",")}
    if tags and not tags & {"*", etag(user)}:
        raise errors.PreconditionFailed


def page(
    request: web.Request, rows: list[Any], after: tuple[str | int, ...] | None
) -> web.Response:
    """Answer with a page of a list, and a `Link` to the next one (RFC 8288)."""
    response = context.json_response(rows)
    if after is not None:
        query = urlencode([*_others(request), ("cursor", bodies.cursor(*after))])
        response.headers["Link"] = f'<{request.path}?{query}>; rel="next"'
    return response


def _others(request: web.Request) -> list[tuple[str, str]]:
    return [(name, value) for name, value in request.query.items() if name != "cursor"]
