"""Listening: connections, the line that each answer leaves in the log, start and stop."""

import asyncio
import errno
import gc
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from time import perf_counter
from typing import Any, cast

import uvloop
from aiohttp import HttpVersion11, web
from aiohttp.helpers import rfc822_formatted_time

from service import context, errors, logs, middleware
from service.app import create_app
from service.config import Config
from service.errors import Fault
from service.metrics import Metrics
from service.repeated import Repeated, written

_BACKLOG = 1024
_KEEPALIVE_SECONDS = 75
_LINGERING_SECONDS = 2
_SHUTDOWN_SECONDS = 10
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Connection(web.RequestHandler):
    """A client's connection: every answer leaves through here, with the headers that all carry.

    What aiohttp refuses before any middleware is answered here too: its own answers and log lines
    repeat what the client sent, cookies included.
    """

    __slots__ = ("_metrics", "_stamp")

    def __init__(
        self, server: web.Server, stamp: middleware.Stamp, metrics: Metrics, **options: Any
    ) -> None:
        super().__init__(server, **options)
        self._stamp = stamp
        self._metrics = metrics

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
                "error", level=logs.ERROR, id=context.call(request).id, kind=type(exc).__name__
            )
        if request.writer.output_size > 0:
            raise ConnectionError("the answer is on its way already")
        response = _problem(status)
        response.force_close()
        return response

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send an answer; what aiohttp raised itself (404, 405, 417) is made ours first."""
        # The first test is the quick one: nearly all answers of ours are of that very class.
        if type(resp) is not web.Response:
            if isinstance(resp, Repeated):
                if _stays_open(request):
                    return self._repeat(request, resp)
                resp = resp.ordinary()
            elif isinstance(resp, web.HTTPException):
                resp = middleware.refuse(cast("web.Request", request), middleware.from_http(resp))
        self._stamp(request, resp)
        return await super().finish_response(request, resp, start_time)

    def _repeat(self, request: web.BaseRequest, resp: Repeated) -> tuple[Repeated, bool]:
        """Send an answer that has been written before; only its id and its date are new."""
        block = resp.block
        if block is None:
            block = resp.block = self._block(request, resp)
        own = f"X-Request-ID: {context.call(request).id}\r\nDate: {rfc822_formatted_time()}\r\n\r\n"
        transport = self.transport
        is_gone = transport is None or transport.is_closing()
        if transport is not None and not is_gone:
            transport.write(block + own.encode("ascii"))
        self.log_access(request, resp, None)
        return resp, is_gone

    def _block(self, request: web.BaseRequest, resp: Repeated) -> bytes:
        once = resp.ordinary()
        self._stamp(request, once)
        del once.headers["X-Request-ID"]
        once.headers["Content-Length"] = "0"
        return written(once.status, once.reason or "OK", once.headers)

    def log_access(
        self,
        request: web.BaseRequest,
        response: web.StreamResponse,
        time: float | None,  # noqa: ARG002
    ) -> None:
        """Write one line and count one answer; aiohttp calls this when the answer is sent."""
        # What the parser refused has no match, and began with its answer.
        match_info = getattr(request, "_match_info", None)
        resource = None if match_info is None else match_info.route.resource
        route = "unknown" if resource is None else resource.canonical
        method = request.method if request.method in _METHODS else "OTHER"
        call = context.call(request)
        seconds = perf_counter() - call.started
        self._metrics.answered(method, route, response.status, seconds)
        logs.answered(
            method=method,
            # Never the query: it may hold what nobody else should read.
            path=request.path if resource is None or "{" in route else route,
            status=response.status,
            seconds=seconds,
            user=None if call.claims is None else call.claims["username"],
            client=request.remote
            if match_info is None
            else context.client_name(cast("web.Request", request)),
            id=call.id,
        )


def _stays_open(request: web.BaseRequest) -> bool:
    """Tell whether an answer can go out as it was written, with nothing about the connection."""
    return (
        request.keep_alive and request.version == HttpVersion11 and "Upgrade" not in request.headers
    )


def _problem(status: int) -> web.Response:
    problem = errors.BY_STATUS.get(status, errors.BadRequest)()
    return web.Response(
        status=problem.status,
        body=errors.as_json(problem),
        headers={"Content-Type": errors.CONTENT_TYPE},
    )


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
    metrics = runner.app[context.METRICS]

    def accept() -> Connection:
        return Connection(
            server,
            stamp,
            metrics,
            access_log=None,  # log_access is overridden
            loop=loop,
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
            gc.freeze()  # what is there now stays: no need to look at it again and again
            gc.set_threshold(50_000, 20, 20)
            loop.add_signal_handler(signal.SIGHUP, app[context.KEY_WATCH].look_now)
            await announce(app)
            await stop.wait()
            logs.event("stopping")

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
    logs.flush()
