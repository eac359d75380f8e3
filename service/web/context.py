"""The context of the application and of requests: typed keys, request info, responses."""

import itertools
import os
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from service import audit, errors
from service.audit import Actor
from service.config import Config
from service.db import Database, Transaction
from service.db.readiness import Readiness
from service.keys.watcher import KeyWatch
from service.limits.budgets import Budget
from service.parsing import client_address
from service.providers.recent_logouts import Newest
from service.providers.registry import Providers
from service.revocation.documents import Documents
from service.revocation.feed import Revocation
from service.telemetry import logs
from service.telemetry.metrics import Metrics
from service.telemetry.notices import Notices
from service.tokens.claims import Claims
from service.tokens.encrypted import EncryptedValues
from service.tokens.issuer import TokenIssuer
from service.users import rights
from service.web.large_responses import LargeAnswers
from service.web.templates import Templates

CONFIG = web.AppKey("config", Config)
DATABASE = web.AppKey("database", Database)
TOKENS = web.AppKey("tokens", TokenIssuer)
REVOCATION = web.AppKey("revocation", Revocation)
ENCRYPTED = web.AppKey("encrypted", EncryptedValues)
PROVIDERS = web.AppKey("providers", Providers)
KEY_WATCH = web.AppKey("key_watch", KeyWatch)
METRICS = web.AppKey("metrics", Metrics)
TEMPLATES = web.AppKey("templates", Templates)
READINESS = web.AppKey("readiness", Readiness)
DOCUMENTS = web.AppKey("documents", Documents)
LARGE_ANSWERS = web.AppKey("large_answers", LargeAnswers)
"""Only for the feed."""
LARGE_ASSETS = web.AppKey("large_assets", LargeAnswers)
NOTICES = web.AppKey("notices", Notices)
LOOKUPS = web.AppKey("lookups", Budget)
NEWEST_LOGOUT = web.AppKey("newest_logout", Newest)
"""Limits database reads of unauthenticated clients. Reads for tokens do not wait for it."""


@dataclass(slots=True)
class ShutdownState:
    """The progress of the server's shutdown."""

    draining: bool = False
    """The server is stopping and should get no new requests."""
    closing: bool = False
    """No connections are accepted, and every answer is the last one on its connection."""


SHUTDOWN = web.AppKey("shutdown", ShutdownState)


@dataclass(slots=True)
class RequestInfo:
    """What is known about one request: its id, its start, and on closed routes the caller.

    `id` is the answer's `X-Request-ID`, and part of each log line. `started` is a reading of
    time.perf_counter(). `token` is the caller's token, and `claims` are its claims.
    """

    id: str
    started: float
    token: str = field(default="", repr=False)
    claims: Claims | None = None


_CALL = web.RequestKey("call", RequestInfo)
# Request IDs are not secret: eight digits for the process, then a counter.
_process = ""
_count = itertools.count()


def _name_process() -> None:
    global _process  # noqa: PLW0603  # a process has one name
    _process = f"{random.getrandbits(32):08x}"


_name_process()
os.register_at_fork(after_in_child=_name_process)


def actor(request: web.Request, claims: Claims | None = None) -> Actor:
    """Return the caller as an actor of the audit log. Pass `claims` only on open routes."""
    claims = claims or identity(request)
    return Actor(claims["username"], claims["id"], client_name(request), request_info(request).id)


@asynccontextmanager
async def writing(request: web.Request) -> AsyncIterator[Transaction]:
    """Write in a transaction. After the commit, this process applies its revocations at once.

    Each entry of the audit gets its line in the log. Raises DatabaseUnavailable.
    """
    async with writing_in(request.app) as tx:
        yield tx
    for entry in tx.entries:
        log(request, entry["action"], **audit.log_fields(entry))


@asynccontextmanager
async def writing_in(app: web.Application) -> AsyncIterator[Transaction]:
    """Do the same without a request, for background work that adds nothing to the audit.

    Raises DatabaseUnavailable.
    """
    async with app[DATABASE].transaction() as tx:
        yield tx
    app[REVOCATION].apply_own(tx.events)


@asynccontextmanager
async def changing(request: web.Request) -> AsyncIterator[tuple[Transaction, Actor]]:
    """Change users in a transaction, as a caller who manages users.

    Raises Unauthenticated or RoleMissing if the caller's token or role has gone while this waited
    for its turn.
    """
    async with writing(request) as tx:
        request.app[TOKENS].verify(request_info(request).token)
        yield tx, await rights.caller(tx, actor(request), identity(request))


def identity(request: web.Request) -> Claims:
    """Return the caller's claims. Only for handlers of closed routes."""
    claims = request_info(request).claims
    if claims is None:
        raise errors.CredentialsMissing
    return claims


def request_info(request: web.BaseRequest) -> RequestInfo:
    """Return the state of a request. Creates it at the first call."""
    try:
        return request[_CALL]
    except KeyError:
        return start_request(request)


def start_request(request: web.BaseRequest) -> RequestInfo:
    """Create the state of a new request."""
    begun = request[_CALL] = RequestInfo(f"{_process}{next(_count):08x}", time.perf_counter())
    return begun


def client(request: web.Request) -> client_address.Address | None:
    """Return the client address, from trusted sources only, or None."""
    peer = client_address.address(request.remote)
    trusted = request.app[CONFIG].trusted_proxies
    return client_address.client(peer, request.headers.getall("X-Forwarded-For", ()), trusted)


def client_name(request: web.Request) -> str | None:
    """Return the client address as text for the log. Default: the address of the proxy."""
    if not request.app[CONFIG].trusted_proxies:
        return request.remote
    found = client(request)
    return request.remote if found is None else str(found)


def is_trusted_proxy(request: web.Request) -> bool:
    """Return whether a request comes from TRUSTED_PROXIES. If not, log a warning once.

    Only for requests that come through a proxy.
    """
    peer = request.remote
    if client_address.is_trusted(peer, request.app[CONFIG].trusted_proxies):
        return True
    if request.app[NOTICES].is_new("proxy_not_trusted", str(peer)):
        log(
            request,
            "proxy_not_trusted",
            level=logs.WARNING,
            peer=peer,
            setting="TRUSTED_PROXIES",
            warning="ignores what this proxy says about requests: add its address, if it is yours",
        )
    return False


def log(request: web.Request, name: str, *, level: int = logs.INFO, **fields: object) -> None:
    """Write a log line of this request."""
    logs.event(
        name, level=level, **fields, client=client_name(request), id=request_info(request).id
    )
