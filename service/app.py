"""The only wiring: a configuration becomes an application."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from aiohttp import web

from service import changes, context, db, keys, middleware, schema
from service.config import Config
from service.endpoints import account, exchange, ops, pages, revocations
from service.login import bypass
from service.metrics import Metrics
from service.revocation import Revocation
from service.tokens import Tokens
from service.views import Views


def create_app(config: Config) -> web.Application:
    """Return the application. Its database is opened when it starts up, and closed when it ends."""
    app = web.Application(
        middlewares=[middleware.render_errors, middleware.guard, middleware.bound_body],
        client_max_size=middleware.BODY_BYTES,
    )
    app[context.CONFIG] = config
    app[context.TOKENS] = Tokens(config, keys.load(config))
    app[context.METRICS] = Metrics(bypass_enabled=config.bypass_auth)
    app[context.VIEWS] = Views()
    app.cleanup_ctx.extend((_database, _revocation))
    for leaf in (pages, account, exchange, revocations, ops, bypass):
        leaf.add_routes(app)
    return app


async def _database(app: web.Application) -> AsyncIterator[None]:
    path = app[context.CONFIG].database.path
    schema.require_current(path)
    async with db.connect(path) as database:
        app[context.DATABASE] = database
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
    following = asyncio.create_task(feed.follow())
    yield
    following.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await following
