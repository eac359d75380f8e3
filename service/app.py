"""The only wiring: a configuration becomes an application."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import orjson
from aiohttp import web

from service import changes, context, db, keys, middleware, openapi, schema
from service.config import Config
from service.endpoints import (
    account,
    admin,
    docs,
    exchange,
    forward,
    ops,
    pages,
    revocations,
    wellknown,
)
from service.keywatch import KeyWatch
from service.login import bypass
from service.metrics import Metrics
from service.passes import Passes
from service.revocation import Revocation
from service.tokens import Tokens
from service.views import Asset, Views, as_asset


def create_app(config: Config) -> web.Application:
    """Return the application. Its database is opened when it starts up, and closed when it ends."""
    app = web.Application(client_max_size=middleware.BODY_BYTES)
    app[context.CONFIG] = config
    app[context.KEY_WATCH] = KeyWatch(config)
    app[context.TOKENS] = Tokens(config, keys.load(config))
    app[context.METRICS] = Metrics(bypass_enabled=config.bypass_auth)
    app[context.VIEWS] = Views()
    app.cleanup_ctx.extend((_database, _revocation, _key_watch))
    leaves = [pages, account, exchange, forward, revocations, wellknown, ops, docs, admin]
    if config.bypass_auth:
        leaves.append(bypass)
    routes = [route for leaf in leaves for route in leaf.ROUTES]
    app.add_routes([middleware.before(route) for route in routes])
    app[context.DESCRIPTION] = _description(config, routes)
    return app


def _description(config: Config, routes: list[web.RouteDef]) -> Asset:
    document = openapi.describe(config, {(route.method, route.path) for route in routes})
    return as_asset(orjson.dumps(document), "application/json")


async def _database(app: web.Application) -> AsyncIterator[None]:
    where = app[context.CONFIG].database
    schema.require_current(where)
    async with db.connect(where) as database:
        app[context.DATABASE] = database
        app[context.PASSES] = Passes(database, app[context.TOKENS])
        yield


async def _revocation(app: web.Application) -> AsyncIterator[None]:
    """Know every live revocation before the first answer, and follow the feed from then on."""
    config, database = app[context.CONFIG], app[context.DATABASE]
    async with database.transaction() as tx:
        await changes.issuing(tx, config.jwt_expires_in, app[context.TOKENS].now())
    feed = Revocation(database, max_staleness=config.revocation_max_staleness)
    await feed.catch_up()
    app[context.REVOCATION] = feed
    app[context.METRICS].watch_feed(feed.__len__, lambda: feed.age)
    async with _beside(feed.follow()):
        yield


async def _key_watch(app: web.Application) -> AsyncIterator[None]:
    if app[context.CONFIG].jwt_keys_file is None:
        yield
        return
    watch = app[context.KEY_WATCH]
    async with _beside(watch.run(app[context.TOKENS].use, app[context.METRICS].keys_file)):
        yield


@contextlib.asynccontextmanager
async def _beside(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run `work` beside what is inside, and no longer."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
