"""Responses of one form: JSON, a page, a redirect, a file, 304."""

from collections.abc import Mapping

import orjson
from aiohttp import web

from service import errors
from service.web import context
from service.web.templates import CONTENT_TYPE, Asset

MOST_TAGS_LENGTH = 2000
"""How much of an `If-None-Match` is read. Clients send one entity tag."""
_JSON = {"Content-Type": "application/json"}


def page(
    request: web.Request,
    template: str,
    *,
    headers: Mapping[str, str] | None = None,
    **values: object,
) -> web.Response:
    """Return a page: a template with its values."""
    text = request.app[context.TEMPLATES].render(template, **values)
    return web.Response(
        body=text.encode(), headers={**(headers or {}), "Content-Type": CONTENT_TYPE}
    )


def redirect(location: str, status: int = 302) -> web.Response:
    """Return a redirect; 303 after a form."""
    return web.Response(status=status, headers={"Location": location})


def not_modified(headers: Mapping[str, str]) -> web.Response:
    """Return a 304 with the headers that a 200 would have (RFC 9110 section 15.4.5)."""
    return web.Response(status=304, headers=headers)


def json(value: object, status: int = 200) -> web.Response:
    """Return a JSON response."""
    return web.Response(body=orjson.dumps(value), status=status, headers=_JSON)


def is_known(request: web.Request, etag: str) -> bool:
    """Return whether `If-None-Match` contains a quoted entity tag (RFC 9110 section 13.1.2)."""
    return not known_tags(request).isdisjoint({"*", etag.strip('"')})


def known_tags(request: web.Request) -> set[str]:
    """Return the entity tags of `If-None-Match` without quotes; none if it is too long."""
    if len(request.headers.get("If-None-Match", "")) > MOST_TAGS_LENGTH:
        return set()
    return {tag.value for tag in request.if_none_match or ()}


async def asset(
    request: web.Request, found: Asset | None, *, cache_control: str = "public, max-age=86400"
) -> web.Response:
    """Return an asset, or 304 if the client has it. Raises NotFound, Overloaded."""
    if found is None:
        raise errors.NotFound
    headers = {"ETag": found.etag, "Cache-Control": cache_control}
    if is_known(request, found.etag):
        return not_modified(headers)
    headers["Content-Type"] = found.content_type
    return await request.app[context.LARGE_ASSETS].answer(request, found.body, headers)
