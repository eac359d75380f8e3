"""A client connection: common headers, error answers and the access log."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from time import perf_counter
from typing import Any, cast

from aiohttp import HttpVersion10, HttpVersion11, web
from aiohttp.helpers import rfc822_formatted_time
from aiohttp.http import RawRequestMessage
from multidict import CIMultiDictProxy
from yarl import URL

from service import errors, middleware
from service.limits.client_limits import LINE_BYTES
from service.server import framing, refused_requests
from service.telemetry import logs
from service.telemetry.metrics import Metrics
from service.web import context, cross_origin, error_pages
from service.web.cached_response import CachedResponse, written
from service.web.templates import Templates

_Factory = Callable[..., web.BaseRequest]
_Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
_ALLOW = ", ".join(sorted(refused_requests.METHODS))
_LAST_ANSWER_SECONDS = 1.0
_NOWHERE = URL("/")


class Connection(framing.FramedHandler):
    """Sends all answers of a connection.

    Also answers the requests that aiohttp rejects before any middleware runs, because aiohttp's own
    answers and log lines repeat the client's data, including cookies.
    """

    __slots__ = ("_life", "_metrics", "_stamp", "_templates")

    def __init__(
        self,
        server: web.Server,
        stamp: middleware.Stamp,
        metrics: Metrics,
        life: context.ShutdownState,
        *,
        templates: Templates,
        **options: Any,
    ) -> None:
        super().__init__(server, **options)
        self._stamp = stamp
        self._metrics = metrics
        self._life = life
        self._templates = templates
        if self._request_factory is not None:
            self._request_factory = partial(_request, self._request_factory)

    def _handle_request(
        self, request: web.BaseRequest, start_time: float | None, request_handler: _Handler
    ) -> Coroutine[Any, Any, tuple[web.StreamResponse, bool]]:
        """Reject invalid requests. `request_handler` may be the parser's error handler."""
        if request_handler is self._request_handler and (
            self.is_long(request) or refused_requests.refusal(request) is not None
        ):
            request_handler = self._refuse
        return super()._handle_request(request, start_time, request_handler)

    async def _refuse(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request that is rejected regardless of its path."""
        response = self._answer(request, self._problem_of(request))
        if request.version != HttpVersion11:
            # Do not answer with HTTP/0.9. aiohttp caches `version` here.
            request._cache["version"] = HttpVersion10  # noqa: SLF001
        if response.status == 405:
            response.headers["Allow"] = _ALLOW
        response.force_close()
        return response

    def _problem_of(self, request: web.BaseRequest) -> errors.Problem:
        if not self.is_long(request):
            return _problem(refused_requests.refusal(request) or 400)
        is_target = len(request.raw_path) > LINE_BYTES
        return errors.UriTooLong() if is_target else errors.HeadersTooLarge()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002
    ) -> web.StreamResponse:
        """Answer a parser error (400) or an error outside the middlewares (500)."""
        if status >= 500:
            logs.event(
                "error",
                level=logs.ERROR,
                id=context.request_info(request).id,
                kind=type(exc).__name__,
            )
        if request.writer.output_size > 0:
            raise ConnectionError("the answer is on its way already")
        problem = errors.UriTooLong() if self.is_cut else _problem(status)
        response = self._answer(request, problem, error_pages.accepting(self.accepted))
        response.force_close()
        return response

    def _answer(
        self,
        request: web.BaseRequest,
        problem: errors.Problem,
        headers: CIMultiDictProxy[str] | None = None,
    ) -> web.Response:
        """Return the answer for a problem, in the form that `headers` ask for."""
        self._metrics.refused(problem.code)
        response = web.Response(status=problem.status)
        error_pages.explain(
            response,
            problem,
            request.headers if headers is None else headers,
            templates=self._templates,
            about=error_pages.About(request_id=context.request_info(request).id),
        )
        return response

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send an answer. Replace aiohttp's own errors (404, 405, 417) with problems."""
        is_last = self._life.closing or self.is_last(request)
        # The fast check first: nearly all answers have exactly this class.
        if type(resp) is not web.Response:
            if isinstance(resp, CachedResponse):
                if not is_last and request.keep_alive and request.version is HttpVersion11:
                    sent = self._repeat(request, resp)
                    if self._paused:  # the client reads more slowly than it sends
                        await self._drain_helper()
                    self.answered()
                    return sent
                resp = resp.uncached()
            elif isinstance(resp, web.HTTPException):
                resp.__traceback__ = None  # it refers to the frame of our caller, and that to it
                resp = _refuse(cast("web.Request", request), resp)
        self._stamp(request, resp)
        if is_last:
            resp.force_close()
            self.answer_last(request)
        try:
            return await super().finish_response(request, resp, start_time)
        finally:
            self.answered()
            if self.is_skipping and not self._messages and self.transport is not None:
                self.transport.write_eof()  # the client sees the end, and may still send

    def _repeat(
        self, request: web.BaseRequest, resp: CachedResponse
    ) -> tuple[CachedResponse, bool]:
        """Send a cached answer with a new request ID and date."""
        block = resp.block
        if block is None:
            block = resp.block = self._block(request, resp)
        request_id = context.request_info(request).id
        own = f"X-Request-ID: {request_id}\r\nDate: {rfc822_formatted_time()}\r\n\r\n"
        transport = self.transport
        is_gone = transport is None or transport.is_closing()
        if transport is not None and not is_gone:
            transport.write(block + own.encode("ascii"))
        self.log_access(request, resp, None)
        return resp, is_gone

    def _block(self, request: web.BaseRequest, resp: CachedResponse) -> bytes:
        once = resp.uncached()
        self._stamp(request, once)
        del once.headers["X-Request-ID"]
        once.headers["Content-Length"] = "0"
        return written(once.status, once.reason or "OK", once.headers)

    async def shutdown(self, timeout: float | None = 15.0) -> None:  # noqa: ASYNC109  # aiohttp's
        """Wait `timeout` seconds for the request in flight, then a second for its answer.

        aiohttp (3.14) waits twice as long, even for a client that does not read.
        """
        whole = None if timeout is None else timeout + _LAST_ANSWER_SECONDS
        try:
            async with asyncio.timeout(whole):
                await super().shutdown(timeout)
        except TimeoutError:
            if self._task_handler is not None:
                self._task_handler.cancel()
            self.hang_up()

    def log_access(
        self,
        request: web.BaseRequest,
        response: web.StreamResponse,
        time: float | None,  # noqa: ARG002
    ) -> None:
        """Log and count an answer. aiohttp calls this after it is sent."""
        # Requests that the parser rejected have no route.
        match_info = getattr(request, "_match_info", None)
        resource = None if match_info is None else match_info.route.resource
        route = "unknown" if resource is None else resource.canonical
        method = request.method if request.method in refused_requests.METHODS else "OTHER"
        call = context.request_info(request)
        seconds = perf_counter() - call.started
        self._metrics.answered(method, route, response.status, seconds)
        logs.answered(
            method=method,
            # Never log the query: it may contain secrets.
            path=request.path if resource is None or "{" in route else route,
            status=response.status,
            seconds=seconds,
            user=None if call.claims is None else call.claims["username"],
            client=request.remote
            if match_info is None
            else context.client_name(cast("web.Request", request)),
            id=call.id,
        )


def _request(make: _Factory, message: RawRequestMessage, *others: Any) -> web.BaseRequest:
    """Create the request object. If the host in its target is invalid, create one to be rejected.

    aiohttp (3.14) decodes the host of `GET http://xn--a/` here. It does not catch the error, and
    the time grows with the square of the length.
    """
    try:
        refused_requests.require_short_host(message.path)
        return make(message, *others)
    except ValueError:
        return make(message._replace(path="", url=_NOWHERE), *others)


def _refuse(request: web.Request, raised: web.HTTPException) -> web.Response:
    """Return our answer for an error of aiohttp, as no middleware catches what fails here."""
    try:
        response = middleware.refuse(request, middleware.from_http(raised))
        cross_origin.share(request, response, cross_origin.sharing(request.path))
    except Exception as error:  # noqa: BLE001  # the client gets an answer in any case
        logs.unexpected(error, id=context.request_info(request).id)
        problem = errors.Problem()
        return web.Response(
            status=problem.status,
            body=errors.as_json(problem),
            headers={"Content-Type": errors.CONTENT_TYPE},
        )
    return response


def _problem(status: int) -> errors.Problem:
    return errors.BY_STATUS.get(status, errors.BadRequest)()
