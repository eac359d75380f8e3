"""The description of this interface, for programs and people: `/openapi.json`, `/docs`."""

from aiohttp import web

from service.web import access, context

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@access.public
async def description(request: web.Request) -> web.Response:
    """GET /openapi.json: the routes that exist here (OpenAPI 3.1)."""
    described = request.app[context.DESCRIPTION]
    return await context.asset_response(request, described, cache_control="no-cache")


@access.public
async def page(request: web.Request) -> web.Response:
    """GET /docs: the description, to read and to try out."""
    text = request.app[context.TEMPLATES].render("docs.html")
    headers = {"Content-Security-Policy": _POLICY}
    return web.Response(text=text, content_type="text/html", headers=headers)


@access.public
async def file(request: web.Request) -> web.Response:
    """GET /docs/{name}: a file of Swagger UI."""
    found = request.app[context.TEMPLATES].swagger_ui.get(request.match_info["name"])
    return await context.asset_response(request, found)


ROUTES = (
    web.get("/openapi.json", description),
    web.get("/docs", page),
    web.get("/docs/{name}", file),
)
