"""For whoever runs the service: `/healthz`, `/readyz`, `/metrics`."""

import asyncio

from aiohttp import web

from service import context, errors, metrics

_READY_SECONDS = 2


def add_routes(app: web.Application) -> None:
    """Add the routes, and their older names."""
    for path in ("/healthz", "/ping"):
        app.router.add_get(path, alive)
    for path in ("/readyz", "/ready"):
        app.router.add_get(path, ready)
    app.router.add_get("/metrics", figures)


@context.public
async def alive(_request: web.Request) -> web.Response:
    """GET /healthz: the process answers."""
    return web.json_response({"status": "ok"})


@context.public
async def ready(request: web.Request) -> web.Response:
    """GET /readyz: sign-ins would work; 503 if not. Bad new keys leave the old ones at work."""
    try:
        async with asyncio.timeout(_READY_SECONDS):
            await request.app[context.DATABASE].fetch_one("SELECT id FROM users LIMIT 1")
    except (errors.DatabaseUnavailable, TimeoutError):
        return web.json_response({"status": "unavailable", "database": "unavailable"}, status=503)
    fault = request.app[context.KEY_WATCH].fault
    state = {"status": "ok" if fault is None else "degraded", "database": "ok"}
    return web.json_response({**state, "keys": fault or "ok"})


@context.public
async def figures(request: web.Request) -> web.Response:
    """GET /metrics: for Prometheus."""
    return web.Response(
        body=request.app[context.METRICS].text(), headers={"Content-Type": metrics.CONTENT_TYPE}
    )
