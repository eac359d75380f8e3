"""Create the application from the settings."""

import importlib
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import web

from service import db, keys, middleware, users
from service.config import Config
from service.db import Database
from service.db.readiness import Readiness
from service.db_tools import schema_state
from service.endpoints import account, api, docs, forward_auth, jwks, ops, pages, revocations, token
from service.forward_auth.allow_responses import ALLOW_RESPONSES, AllowResponses
from service.housekeeping import Housekeeping
from service.keys import KeyRing
from service.keys.watcher import KeyWatch
from service.limits.budgets import Budget
from service.limits.client_limits import BODY_BYTES
from service.login import bypass, sso
from service.providers import http_client, issuers
from service.providers.recent_logouts import Newest
from service.providers.registry import Providers
from service.revocation.documents import Documents
from service.revocation.feed import Revocation
from service.telemetry import logs
from service.telemetry.metrics import Metrics
from service.telemetry.notices import Notices
from service.tokens.encrypted import EncryptedValues
from service.tokens.issuer import TokenIssuer
from service.web import background, context, cross_origin
from service.web.large_responses import LargeAnswers
from service.web.templates import Templates

LOOKUPS_AT_ONCE = 2
"""One less than the read connections to PostgreSQL."""
LOOKUPS_WAITING = 1000


def create_app(config: Config, metrics: Metrics | None = None) -> web.Application:
    """Return the application. It opens the database at startup and closes it at cleanup.

    A worker process passes the `metrics` that it shares with the others.
    """
    app = web.Application(client_max_size=BODY_BYTES)
    app[context.CONFIG] = config
    app[context.KEY_WATCH] = KeyWatch(config)
    ring = keys.load(config)
    app[context.TOKENS] = TokenIssuer(config, ring)
    app[context.ENCRYPTED] = EncryptedValues(ring)
    app[context.METRICS] = metrics or Metrics(bypass_enabled=config.bypass_auth)
    app[context.SHUTDOWN] = context.ShutdownState()
    app[context.TEMPLATES] = Templates()
    app[context.DOCUMENTS] = Documents()
    app[context.NOTICES] = Notices()
    app[docs.DESCRIPTION] = docs.Description()
    app[context.LARGE_ANSWERS] = LargeAnswers()
    app[context.LARGE_ASSETS] = LargeAnswers()
    app[context.LOOKUPS] = Budget(at_once=LOOKUPS_AT_ONCE, waiting=LOOKUPS_WAITING)
    app.cleanup_ctx.extend((_database, _revocation, _key_watch, _figures))
    app[context.PROVIDERS] = _providers(app, config)
    if app[context.PROVIDERS]:
        app.cleanup_ctx.append(_outbound)
    leaves = [pages, account, token, forward_auth, revocations, jwks, ops, docs, api]
    if config.bypass_auth:
        leaves.append(bypass)
    routes = [route for leaf in leaves for route in leaf.ROUTES]
    for kind in _provider_kinds(config):
        routes += kind.routes(config)
    if config.password_auth:
        app.cleanup_ctx.append(importlib.import_module("service.session.password").threads)
        routes += importlib.import_module("service.login.password").ROUTES
        routes += importlib.import_module("service.endpoints.account.password").ROUTES
        if config.second_factor != "off":
            routes += importlib.import_module("service.login.second_factor").ROUTES
            routes += importlib.import_module("service.endpoints.account.codes").ROUTES
            routes += importlib.import_module("service.endpoints.admin.codes").ROUTES
    if config.passkey_auth:
        routes += importlib.import_module("service.login.passkey").ROUTES
        routes += importlib.import_module("service.endpoints.account.passkeys").ROUTES
    if config.has_links:
        links = importlib.import_module("service.login.links")
        app.cleanup_ctx.append(links.locks)
        routes += links.ROUTES
        routes += importlib.import_module("service.endpoints.api.links").ROUTES
        routes += importlib.import_module("service.endpoints.admin.links").ROUTES
        if config.offers_passkeys:
            routes += importlib.import_module("service.login.link_passkey").ROUTES
    routes += cross_origin.preflights(routes, config)
    app.add_routes([middleware.before(route) for route in routes])
    return app


def _provider_kinds(config: Config) -> list[Any]:
    """Load the modules of the configured providers. Their libraries take memory and time."""
    kinds = (("cas", config.cas_url), ("oidc", config.openid))
    names = [name for name, is_on in kinds if is_on]
    return [importlib.import_module(f"service.login.{name}") for name in names]


def _providers(app: web.Application, config: Config) -> Providers:
    options = [each for kind in _provider_kinds(config) for each in kind.providers(app, config)]
    return {option.name: option for option in options}


async def _database(app: web.Application) -> AsyncIterator[None]:
    where = app[context.CONFIG].database
    if added := schema_state.require_current(where):
        logs.event("database_is_newer", level=logs.WARNING, migrations=", ".join(added))
    async with db.connect(where) as database:
        app[context.DATABASE] = database
        app[context.READINESS] = Readiness(database.health)
        app[ALLOW_RESPONSES] = AllowResponses(database, app[context.TOKENS])
        yield


async def _revocation(app: web.Application) -> AsyncIterator[None]:
    """Read all revocations before the first request, then follow the feed."""
    config, database = app[context.CONFIG], app[context.DATABASE]
    feed = Revocation(
        database,
        lambda user_id: users.find_by_id(database, user_id),
        max_staleness=config.revocation_max_staleness,
    )
    keeping = Housekeeping(database, feed, app[context.TOKENS])
    with db.fault_on_unavailable(config.database):
        await keeping.start()
    app[context.REVOCATION] = feed
    app[context.METRICS].watch_feed(feed.__len__, lambda: feed.age)
    try:
        async with background.running(feed.follow()), background.running(keeping.run()):
            yield
    finally:
        await feed.close()


async def _key_watch(app: web.Application) -> AsyncIterator[None]:
    if app[context.CONFIG].jwt_keys_file is None:
        yield
        return
    watch = app[context.KEY_WATCH]

    def use(ring: KeyRing) -> None:
        app[context.TOKENS].use(ring)
        app[context.ENCRYPTED].use(ring)
        app[ALLOW_RESPONSES].forget()

    async with background.running(watch.run(use, app[context.METRICS].keys_file)):
        yield


async def _outbound(app: web.Application) -> AsyncIterator[None]:
    app[sso.PENDING] = sso.PendingSignIns()
    app[sso.REPLAYS] = sso.ReplayCache()
    app[context.NEWEST_LOGOUT] = Newest(app[context.DATABASE])
    await _note_issuers(app[context.CONFIG], app[context.DATABASE])
    async with http_client.opened(app[context.CONFIG].outgoing_proxy) as app[sso.OUTBOUND]:
        yield


async def _note_issuers(config: Config, database: Database) -> None:
    """Note which providers the settings mean, and warn of those whose accounts may be others'."""
    is_development = config.environment == "development"  # where addresses come and go
    with db.fault_on_unavailable(config.database):
        changes = await issuers.note(database, issuers.of(config), accept_all=is_development)
    for each in changes:
        logs.event("issuer_changed", level=logs.ERROR, provider=each.provider, warning=each.warning)


async def _figures(app: web.Application) -> AsyncIterator[None]:
    """Publish the metrics for the other processes once a second and at the end."""
    metrics = app[context.METRICS]
    async with background.running(metrics.keep_publishing()):
        yield
    metrics.publish()
