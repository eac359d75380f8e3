"""What travels with the application and with a request: typed keys, and who a route is open to."""

import random
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from aiohttp import web

from service import logs, peers
from service.config import Config
from service.db import Database
from service.keywatch import KeyWatch
from service.metrics import Metrics
from service.tokens import Claims, Tokens
from service.views import Views

CONFIG = web.AppKey("config", Config)
DATABASE = web.AppKey("database", Database)
TOKENS = web.AppKey("tokens", Tokens)
KEY_WATCH = web.AppKey("key_watch", KeyWatch)
METRICS = web.AppKey("metrics", Metrics)
VIEWS = web.AppKey("views", Views)

IDENTITY = web.RequestKey("identity", dict)
"""The claims of the caller, on every route that is not open."""

STARTED = web.RequestKey("started", float)
"""When the request came, on the clock of time.perf_counter()."""

_REQUEST_ID = web.RequestKey("request_id", str)

_random = random.Random()  # noqa: S311  # ids tell requests apart, and protect nothing

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_H = TypeVar("_H", bound=Handler)
_PUBLIC = "latchkey_public"


def public(handler: _H) -> _H:
    """Open a route to everybody. A route without this mark needs a signed-in caller."""
    setattr(handler, _PUBLIC, True)
    return handler


def is_public(handler: object) -> bool:
    """Tell whether a handler carries the mark of `public`."""
    return getattr(handler, _PUBLIC, False)


def identity(request: web.Request) -> Claims:
    """Return the caller's claims. Only for handlers of routes that are not open."""
    return request[IDENTITY]


def request_id(request: web.BaseRequest) -> str:
    """Return the id in the answer's `X-Request-ID` and in each log line of the request."""
    known: str | None = request.get(_REQUEST_ID)
    if known is None:
        known = request[_REQUEST_ID] = f"{_random.getrandbits(64):016x}"
    return known


def client(request: web.Request) -> peers.Address | None:
    """Return the caller's address, as far as we may believe it."""
    peer = peers.address(request.remote)
    trusted = request.app[CONFIG].trusted_proxies
    return peers.client(peer, request.headers.getall("X-Forwarded-For", ()), trusted)


def client_name(request: web.BaseRequest) -> str | None:
    """Return the caller's address as text, for the log."""
    if isinstance(request, web.Request) and request.app[CONFIG].trusted_proxies:
        return str(client(request))
    return request.remote


def log(request: web.Request, name: str, *, level: int = logs.INFO, **fields: object) -> None:
    """Write a log line of this request."""
    logs.event(name, level=level, **fields, client=client_name(request), id=request_id(request))


def rfc3339(date: int) -> str:
    """Write a NumericDate as RFC 3339, UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(date))
