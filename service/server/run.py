"""Run one server process: listen, serve, and stop without losing requests."""

import asyncio
import contextlib
import errno
import gc
import os
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import uvloop
from aiohttp import web

from service import middleware
from service.app import create_app
from service.config import Config
from service.errors import Fault
from service.limits.client_limits import Bounds
from service.parsing import client_address
from service.server.connection import Connection
from service.server.listeners import BACKLOG, Listeners
from service.server.open_connections import Connections
from service.system.descriptors import raise_descriptor_limit
from service.telemetry import logs
from service.telemetry.metrics import Metrics
from service.web import context

KEEPALIVE_SECONDS = 75
_LINGERING_SECONDS = 2
SHUTDOWN_SECONDS = 10
_QUEUE_SECONDS = 0.05
_IDLE_SECONDS = 1.0
_STEP_SECONDS = 0.02
_BOUNDS = Bounds()

Announce = Callable[[web.Application], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Worker:
    """The parameters of one of several worker processes.

    `lifeline` is a descriptor that reaches its end when the worker must stop. `opened` is called
    when the port is open. Only the first worker announces the server.
    """

    number: int
    is_first: bool
    metrics: Metrics
    lifeline: int
    opened: Callable[[], None]


@asynccontextmanager
async def listening(
    config: Config, metrics: Metrics | None = None, bounds: Bounds = _BOUNDS
) -> AsyncIterator[web.Application]:
    """Serve while the block runs. Afterwards finish in-flight requests, for at most 10 s.

    Raises Fault if the port is not available or the database is not ready.
    """
    runner = web.AppRunner(create_app(config, metrics), shutdown_timeout=SHUTDOWN_SECONDS)
    try:
        await runner.setup()
        connections = _connections(runner, config, bounds)
        listeners = Listeners(await _listen(config), _serve(runner, config, connections))
        watching = asyncio.create_task(connections.watch())
        try:
            yield runner.app
        finally:
            await _drain(runner, listeners)
            watching.cancel()
    finally:
        await runner.cleanup()


def _connections(runner: web.AppRunner, config: Config, bounds: Bounds) -> Connections:
    def is_trusted(peer: str | None) -> bool:
        return client_address.is_trusted(peer, config.trusted_proxies)

    metrics, loop = runner.app[context.METRICS], asyncio.get_running_loop()
    return Connections(metrics, loop, is_trusted, bounds)


def _serve(
    runner: web.AppRunner, config: Config, connections: Connections
) -> Callable[[], Connection]:
    server, stamp, loop = runner.server, middleware.stamp(config), asyncio.get_running_loop()
    assert server is not None  # noqa: S101  # set up by the caller
    metrics, life = runner.app[context.METRICS], runner.app[context.SHUTDOWN]

    def serve() -> Connection:
        return Connection(
            server,
            stamp,
            metrics,
            life,
            templates=runner.app[context.TEMPLATES],
            connections=connections,
            access_log=None,  # log_access is overridden
            loop=loop,
            keepalive_timeout=KEEPALIVE_SECONDS,
            lingering_time=_LINGERING_SECONDS,
            auto_decompress=False,
        )

    return serve


async def _listen(config: Config) -> list[socket.socket]:
    """Return listening sockets, one for each address of the host."""
    loop, sockets = asyncio.get_running_loop(), list[socket.socket]()
    shared = config.workers > 1 or None
    try:
        bound = await loop.create_server(
            asyncio.Protocol, config.host, config.port, reuse_port=shared, start_serving=False
        )
        with contextlib.closing(bound):
            sockets += [socket.socket(fileno=os.dup(each.fileno())) for each in bound.sockets]
        for each in sockets:
            each.setblocking(False)  # noqa: FBT003  # its only argument
            each.listen(BACKLOG)
    except OSError as error:
        for each in sockets:
            each.close()
        raise bind_error(config, error) from error
    return sockets


def bind_error(config: Config, error: OSError) -> Fault:
    """Return the error for a port that cannot be opened, with the remedy."""
    if error.errno == errno.EADDRINUSE:
        return Fault(
            f"Port {config.port} is in use by another program. Stop it or use another port, for"
            f" example: make run PORT={config.port % 65535 + 1}"
        )
    where = f"{config.host}, port {config.port}"
    return Fault(f"Cannot listen on {where}: {error.strerror or error}.")


async def _drain(runner: web.AppRunner, listeners: Listeners) -> None:
    """Close all connections without losing a request.

    Accepts the connections in the system's queue, but no new ones. Each connection closes with its
    next answer, or after a second without a request.
    """
    life = runner.app[context.SHUTDOWN]
    life.draining = True
    listeners.overlook_newcomers()
    await asyncio.sleep(_QUEUE_SECONDS)
    await listeners.close()
    life.closing = True
    server, loop = runner.server, asyncio.get_running_loop()
    deadline = loop.time() + _IDLE_SECONDS
    # aiohttp has no event for a closed connection.
    while server is not None and server.connections and loop.time() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(_STEP_SECONDS)


def run(config: Config, announce: Announce, worker: Worker | None = None) -> None:
    """Serve until SIGTERM or SIGINT. Call `announce` when the port is open.

    A second signal ends the process at once. A worker also stops at the end of its `lifeline`, and
    leaves SIGINT and second signals to the supervisor.
    """

    async def main() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, lambda: None)  # the keys are loaded later anyway
        if worker is None:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, _stop_once, loop, stop)
        else:
            loop.add_signal_handler(signal.SIGTERM, stop.set)
            loop.add_reader(worker.lifeline, _let_go, loop, worker.lifeline, stop)
        async with listening(config, None if worker is None else worker.metrics) as app:
            gc.freeze()  # exclude the permanent objects from garbage collection
            gc.set_threshold(50_000, 20, 20)
            loop.add_signal_handler(signal.SIGHUP, app[context.KEY_WATCH].look_now)
            if worker is not None:
                worker.opened()
            if worker is None or worker.is_first:
                await announce(app)
            await stop.wait()
            logs.event("stopping", worker=None if worker is None else worker.number)

    raise_descriptor_limit()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
    logs.flush()


def _stop_once(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.remove_signal_handler(number)
        signal.signal(number, signal.SIG_DFL)
    stop.set()


def _let_go(loop: asyncio.AbstractEventLoop, lifeline: int, stop: asyncio.Event) -> None:
    loop.remove_reader(lifeline)
    stop.set()
