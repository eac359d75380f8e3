"""The only wiring: a configuration becomes an application."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

from aiohttp import web

from service import context, db, keys, middleware, schema
from service.config import Config
from service.endpoints import account, exchange, ops, pages, wellknown
from service.keywatch import KeyWatch
from service.login import bypass
from service.metrics import Metrics
from service.tokens import Tokens
from service.views import Views


def create_app(config: Config) -> web.Application:
    """Return the application. Its database is opened when it starts up, and closed when it ends."""
    app = web.Application(
        middlewares=[middleware.render_errors, middleware.guard, middleware.bound_body],
        client_max_size=middleware.BODY_BYTES,
    )
    app[context.CONFIG] = config
    app[context.KEY_WATCH] = KeyWatch(config)
    app[context.TOKENS] = Tokens(config, keys.load(config))
    app[context.METRICS] = Metrics(bypass_enabled=config.bypass_auth)
    app[context.VIEWS] = Views()
    app.cleanup_ctx.append(_database)
    app.cleanup_ctx.append(_key_watch)
    app.on_response_prepare.append(_signal(middleware.stamp(config)))
    for leaf in (pages, account, exchange, wellknown, ops, bypass):
        leaf.add_routes(app)
    return app


async def _database(app: web.Application) -> AsyncIterator[None]:
    path = app[context.CONFIG].database.path
    schema.require_current(path)
    async with db.connect(path) as database:
        app[context.DATABASE] = database
        yield


async def _key_watch(app: web.Application) -> AsyncIterator[None]:
    if app[context.CONFIG].jwt_keys_file is None:
        yield
        return
    watch = app[context.KEY_WATCH].run(app[context.TOKENS].use, app[context.METRICS].keys_file)
    task = asyncio.create_task(watch)
    yield
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def _signal(
    stamp: middleware.Stamp,
) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    async def prepare(request: web.Request, response: web.StreamResponse) -> None:
        stamp(request, response)

    return prepare
