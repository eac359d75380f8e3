"""Listening: connections, the line that each answer leaves in the log, start and stop."""

import asyncio
import errno
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from time import perf_counter
from typing import Any

import uvloop
from aiohttp import web
from aiohttp.abc import AbstractAccessLogger

from service import context, errors, logs, middleware
from service.app import create_app
from service.config import Config
from service.errors import Fault
from service.metrics import Metrics

_BACKLOG = 1024
_KEEPALIVE_SECONDS = 75
_LINGERING_SECONDS = 2
_SHUTDOWN_SECONDS = 10
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Connection(web.RequestHandler):
    """A client's connection, with our answers to what aiohttp refuses before any middleware.

    aiohttp's own answers and log lines repeat what the client sent, cookies included.
    """

    __slots__ = ("_stamp",)

    def __init__(self, server: web.Server, stamp: middleware.Stamp, **options: Any) -> None:
        super().__init__(server, **options)
        self._stamp = stamp

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002
    ) -> web.StreamResponse:
        """Answer what the parser refused (400), or what failed outside the middlewares (500)."""
        if status >= 500:
            logs.event(
                "error", level=logs.ERROR, id=context.request_id(request), kind=type(exc).__name__
            )
        if request.writer.output_size > 0:
            raise ConnectionError("the answer is on its way already")
        response = self._problem(request, status)
        response.force_close()
        return response

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send an answer; what aiohttp raised before the middlewares (417) is made ours first."""
        if isinstance(resp, web.HTTPException):
            resp = self._problem(request, resp.status)
        return await super().finish_response(request, resp, start_time)

    def _problem(self, request: web.BaseRequest, status: int) -> web.Response:
        problem = errors.BY_STATUS.get(status, errors.BadRequest)()
        response = web.Response(
            status=problem.status,
            body=errors.as_json(problem),
            headers={"Content-Type": errors.CONTENT_TYPE},
        )
        self._stamp(request, response)
        return response


def access_log(metrics: Metrics) -> type[AbstractAccessLogger]:
    """Return aiohttp's access logger: one line and one count for each answer."""

    class AccessLog(AbstractAccessLogger):
        def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
            match_info = getattr(request, "_match_info", None)
            resource = None if match_info is None else match_info.route.resource
            route = resource.canonical if resource else None
            method = request.method if request.method in _METHODS else "OTHER"
            started = request.get(context.STARTED)
            seconds = time if started is None else perf_counter() - started
            metrics.answered(method, route or "unknown", response.status, seconds)
            identity = request.get(context.IDENTITY)
            logs.event(
                "request",
                method=method,
                # Never the query: it may hold what nobody else should read.
                path=request.path if route is None or "{" in route else route,
                status=response.status,
                ms=round(seconds * 1000, 2),
                user=identity["username"] if identity else None,
                client=request.remote if match_info is None else context.client_name(request),
                id=context.request_id(request),
            )

    return AccessLog


@asynccontextmanager
async def listening(config: Config) -> AsyncIterator[web.Application]:
    """Serve for as long as the block lasts; on leaving, finish what is in flight (10 s).

    Raises Fault when the port cannot be had, or the database is not ready.
    """
    runner = web.AppRunner(create_app(config), shutdown_timeout=_SHUTDOWN_SECONDS)
    await runner.setup()
    try:
        sockets = await _bind(config, _connections(runner, config))
        try:
            yield runner.app
        finally:
            sockets.close()
    finally:
        await runner.cleanup()


def _connections(runner: web.AppRunner, config: Config) -> Callable[[], Connection]:
    server, stamp, loop = runner.server, middleware.stamp(config), asyncio.get_running_loop()
    assert server is not None  # noqa: S101  # set up by the caller
    log = access_log(runner.app[context.METRICS])

    def accept() -> Connection:
        return Connection(
            server,
            stamp,
            loop=loop,
            access_log_class=log,
            keepalive_timeout=_KEEPALIVE_SECONDS,
            lingering_time=_LINGERING_SECONDS,
            auto_decompress=False,
        )

    return accept


async def _bind(config: Config, accept: Callable[[], Connection]) -> asyncio.Server:
    loop = asyncio.get_running_loop()
    where = f"{config.host}, port {config.port}"
    try:
        return await loop.create_server(accept, config.host, config.port, backlog=_BACKLOG)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise Fault(
                f"Port {config.port} is taken by another program: end it, or choose another port,"
                f" for example: make run PORT={config.port % 65535 + 1}"
            ) from error
        raise Fault(f"Cannot listen on {where}: {error.strerror or error}.") from error


def run(config: Config, announce: Callable[[web.Application], Any]) -> None:
    """Serve until SIGTERM or SIGINT; call `announce` when the port is open."""

    async def main() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        loop.add_signal_handler(signal.SIGHUP, lambda: None)  # too early: everything is read anew
        async with listening(config) as app:
            loop.add_signal_handler(signal.SIGHUP, app[context.KEY_WATCH].look_now)
            await announce(app)
            await stop.wait()
            logs.event("stopping")

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
    logs.flush()
