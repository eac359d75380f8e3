"""The API documentation: `/openapi.json` and `/docs`."""

import asyncio
import importlib

import orjson
from aiohttp import web

from service.web import access, context, responses
from service.web.templates import Asset, as_asset

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class Description:
    """The description of what one application serves, made in a thread at the first request."""

    def __init__(self) -> None:
        self._making: asyncio.Future[Asset] | None = None

    async def get(self, app: web.Application) -> Asset:
        """Return the description, as JSON."""
        if self._making is None or (self._making.done() and self._making.exception()):
            self._making = asyncio.ensure_future(asyncio.to_thread(_describe, app))
        return await asyncio.shield(self._making)


DESCRIPTION = web.AppKey("description", Description)


def _describe(app: web.Application) -> Asset:
    openapi = importlib.import_module("service.web.openapi")  # with the YAML library
    resources = ((route.method, route.resource) for route in app.router.routes())
    routes = {(method, resource.canonical) for method, resource in resources if resource}
    document = openapi.describe(app[context.CONFIG], routes)
    return as_asset(orjson.dumps(document), "application/json")


@access.public
async def description(request: web.Request) -> web.Response:
    """GET /openapi.json: the OpenAPI 3.1 document of the enabled routes."""
    described = await request.app[DESCRIPTION].get(request.app)
    return await responses.asset(request, described, cache_control="no-cache")


@access.public
async def page(request: web.Request) -> web.Response:
    """GET /docs: Swagger UI."""
    return responses.page(request, "docs.html", headers={"Content-Security-Policy": _POLICY})


@access.public
async def file(request: web.Request) -> web.Response:
    """GET /docs/{name}: a file of Swagger UI."""
    found = request.app[context.TEMPLATES].swagger_ui.get(request.match_info["name"])
    return await responses.asset(request, found)


ROUTES = (
    web.get("/openapi.json", description),
    web.get("/docs", page),
    web.get("/docs/{name}", file),
)
