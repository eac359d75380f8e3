"""Operations: `/healthz`, `/readyz`, `/metrics`."""

from aiohttp import web

from service.telemetry import metrics
from service.web import access, context, responses


@access.public
async def alive(_request: web.Request) -> web.Response:
    """GET /healthz: 200 if the process responds."""
    return responses.json({"status": "ok"})


@access.public
async def ready(request: web.Request) -> web.Response:
    """GET /readyz: 200 if sign-ins work, else 503. Tokens may still be verified from memory.

    With an invalid new key file, the old keys stay in use: degraded, but ready. A stopping server
    is not ready.
    """
    stopping = request.app[context.SHUTDOWN].draining
    database = "ok" if await request.app[context.READINESS].is_well() else "unavailable"
    fault = request.app[context.KEY_WATCH].fault
    # In production the reason is only in the log: anyone may ask.
    keys = "invalid" if fault and request.app[context.CONFIG].production else fault or "ok"
    return responses.json(
        {
            "status": _status(stopping=stopping, is_well=database == keys == "ok"),
            "database": database,
            "feed_age_seconds": round(request.app[context.REVOCATION].age, 1),
            "keys": keys,
        },
        status=200 if database == "ok" and not stopping else 503,
    )


def _status(*, stopping: bool, is_well: bool) -> str:
    if stopping:
        return "stopping"
    return "ok" if is_well else "degraded"


@access.public
async def figures(request: web.Request) -> web.Response:
    """GET /metrics: metrics for Prometheus."""
    return web.Response(
        body=request.app[context.METRICS].recent_text(),
        headers={"Content-Type": metrics.CONTENT_TYPE},
    )


ROUTES = (
    web.get("/healthz", alive),
    web.get("/ping", alive),
    web.get("/readyz", ready),
    web.get("/ready", ready),
    web.get("/metrics", figures),
)
