"""What a client submits: a JSON body or a form."""

from typing import Any

from aiohttp import web

from service import errors
from service.parsing import content_type, strict_form, strict_json

_JSON = frozenset({content_type.JSON, "application/merge-patch+json"})


async def json(request: web.Request) -> Any:
    """Return the JSON value of the body. Raises ContentTypeUnsupported, JsonInvalid."""
    sent = content_type.of(request.headers)
    if sent.type not in _JSON or not sent.is_utf_8:
        raise errors.ContentTypeUnsupported
    try:
        return strict_json.loads(await request.read())
    except (ValueError, RecursionError):
        raise errors.JsonInvalid from None


async def form(request: web.Request) -> strict_form.Fields:
    """Return the fields of a form. Raises ContentTypeUnsupported, FormInvalid."""
    data = await request.read()
    if data and content_type.of(request.headers) != content_type.Media(content_type.FORM):
        raise errors.ContentTypeUnsupported(f"Send the body as {content_type.FORM}.")
    try:
        return strict_form.loads(data)
    except ValueError:
        raise errors.FormInvalid from None


def is_form(request: web.Request) -> bool:
    """Return whether the body says that it is a form."""
    return content_type.of(request.headers).type == content_type.FORM
