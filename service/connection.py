"""A client's connection: the headers that every answer carries, and its line in the log."""

from time import perf_counter
from typing import Any, cast

from aiohttp import HttpVersion11, web
from aiohttp.helpers import rfc822_formatted_time

from service import context, errors, logs, middleware
from service.connections import Watched
from service.metrics import Metrics
from service.repeated import Repeated, written

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Connection(Watched):
    """Every answer leaves through here; the last one, when the server is closing, closes it.

    What aiohttp refuses before any middleware is answered here too: its own answers and log lines
    repeat what the client sent, cookies included.
    """

    __slots__ = ("_life", "_metrics", "_stamp")

    def __init__(
        self,
        server: web.Server,
        stamp: middleware.Stamp,
        metrics: Metrics,
        life: context.Life,
        **options: Any,
    ) -> None:
        super().__init__(server, **options)
        self._stamp = stamp
        self._metrics = metrics
        self._life = life

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
                if _stays_open(request) and not self._life.closing:
                    return self._repeat(request, resp)
                resp = resp.ordinary()
            elif isinstance(resp, web.HTTPException):
                resp = middleware.refuse(cast("web.Request", request), middleware.from_http(resp))
        self._stamp(request, resp)
        if self._life.closing:
            resp.force_close()
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
