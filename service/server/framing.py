"""Request framing: no byte of a request becomes part of the next one."""

from typing import Any, cast

from aiohttp import web
from aiohttp.http import HttpRequestParser, RawRequestMessage
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader

from service.limits.client_limits import LARGE_BYTES, QUEUED
from service.server.chunked_body import Chunks, Malformed
from service.server.refused_requests import LONGEST_LENGTH
from service.server.request_heads import END, HeadLimits
from service.web.body import BodyGivenUp


class FramedHandler(HeadLimits):
    """Feeds the parser one head or body at a time, and decides which answer is the last.

    Without this, aiohttp's parser makes a trailer a header of the next request, and the data after
    CONNECT a request (docs/decisions/0022-request-bodies.md).
    """

    __slots__ = (
        "_body",
        "_chunks",
        "_edge",
        "_has_answered",
        "_has_ended",
        "_held",
        "_is_broken",
        "_is_idle",
        "_received",
    )

    def __init__(self, server: web.Server, **options: Any) -> None:
        super().__init__(server, **options)
        # The newest request while its body is incomplete.
        self._body: tuple[RawRequestMessage, StreamReader] | None = None
        # Received data for which the parser has no room yet.
        self._held = b""
        # The last bytes given to the parser: they may be the start of `END`.
        self._edge = b""
        # The parser of the newest chunked body.
        self._chunks = Chunks()
        # No data is held, and no head or body is incomplete.
        self._is_idle = True
        # The data that follows cannot be parsed.
        self._is_broken = False
        # The client has closed its side.
        self._has_ended = False
        # The last answer has started.
        self._has_answered = False
        # The bytes received since there was no open request.
        self._received = 0
        self._max_msg_queue_size, self._msg_queue_resume_size = QUEUED, QUEUED - 1

    def data_received(self, data: bytes) -> None:
        """Pass received data to the parser."""
        if self.is_skipping:
            return
        received = self._received + len(data)
        if received > LARGE_BYTES:
            self.request_grew(received if self._received <= LARGE_BYTES else len(data))
        self._received = received
        # The usual case: exactly one head and no body.
        if self._is_idle and data.find(END) + 4 == len(data) != 3:
            self._feed(data)
            if self._body is not None:
                self._is_idle = False
            return
        data, self._held = self._held + data, b""
        start = 0
        while start < len(data) and not self._is_broken and not self._upgraded:
            if self._reading_paused or len(self._messages) >= self._max_msg_queue_size:
                self._held = data[start:]
                break
            start = (self._feed_head if self._body is None else self._feed_body)(data, start)
        if self._has_ended and not self._held:
            self._break_body()
        self._is_idle = not (self._body or self._held or self._edge or self._is_broken)

    def pause_reading(self) -> None:
        """Pause the socket, but not the parser.

        A paused parser keeps part of its input, perhaps until the next request.
        """
        self._reading_paused = True
        self._pause_transport_reading()

    def _feed_head(self, data: bytes, start: int) -> int:
        """Pass the available part of a head to the parser. Return its end."""
        edge = self._edge
        # The end marker may have started in earlier data.
        if edge and (found := (edge + data[start : start + 3]).find(END)) >= 0:
            end = start - len(edge) + found + len(END)
        elif (found := data.find(END, start)) >= 0:
            end = found + len(END)
        else:
            self._edge = (edge + data[max(start, len(data) - 3) :])[-3:]
            self._feed(data[start:])
            return len(data)
        self._edge = b""
        self._feed(data[start:end])
        return end

    def _feed(self, piece: bytes) -> None:
        """Pass a piece of a head to the parser and record the result."""
        if self._parse_head(piece):
            self.head_complete()
            self._is_broken |= self.is_skipping
            if not self.is_skipping and not self._messages[-1][1].is_eof():
                self._body = cast("tuple[RawRequestMessage, StreamReader]", self._messages[-1])
                self._chunks = Chunks()
                self.body_grew(0)
        elif piece:
            self.head_grew(len(piece))

    def _feed_body(self, data: bytes, start: int) -> int:
        """Pass the available part of a body to the parser. Return its end."""
        message, payload = cast("tuple[RawRequestMessage, StreamReader]", self._body)
        if message.chunked:
            try:
                piece, end = self._chunks.take(data, start)
            except Malformed:
                self._break_body()
                return len(data)
            super().data_received(piece)
            is_complete = self._chunks.is_complete
        else:
            if len(message.headers["Content-Length"]) > LONGEST_LENGTH:
                self._break_body()  # the request is refused
                return len(data)
            missing = int(message.headers["Content-Length"]) - payload.total_bytes
            end = min(start + missing, len(data))
            super().data_received(data[start:end])
            is_complete = end - start == missing
        if payload.is_eof() != is_complete or self._is_refused():
            self._break_body()  # the parser disagrees about the end
        elif not is_complete:
            self.body_grew(end - start)
        else:
            self.body_complete()
            self._body = None
            if message.chunked:
                # The old parser would add the trailers to the next request.
                self._parser = self._new_parser()
        return end

    def _new_parser(self) -> HttpRequestParser:
        return HttpRequestParser(
            self,
            self._loop,
            self._read_bufsize,
            max_line_size=self.max_line_size,
            max_field_size=self.max_field_size,
            max_headers=self.max_headers,
            payload_exception=web.RequestPayloadError,
            auto_decompress=False,
            max_msg_queue_size=self._max_msg_queue_size,
        )

    def _break_body(self) -> None:
        """Fail the read of a body that cannot be completed."""
        self._end_body(web.RequestPayloadError("the body is incomplete"))

    def give_up_body(self) -> None:
        """Stop waiting for the rest of a body. Its read fails at once."""
        self._end_body(BodyGivenUp("the body is slow, and there are too many incomplete bodies"))

    def _end_body(self, problem: web.RequestPayloadError) -> None:
        if self._body is None:
            return
        self._is_broken = True
        self.body_complete()
        if self._has_answered:
            self._body[1].feed_eof()  # aiohttp only drains the rest
        else:
            self._body[1].set_exception(problem)

    def eof_received(self) -> bool:  # type: ignore[override]  # as asyncio has it
        """Answer all requests of a client that closed its side, then close the connection."""
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            return False
        self._has_ended = True
        if self._skipped is not None:
            self._skipped.feed_eof()
        if not self._held:
            self._break_body()
        if not self._messages and not self._held:
            self._close = True
        return True

    def connection_lost(self, exc: BaseException | None) -> None:
        """Discard data that will not be parsed."""
        self._body, self._held = None, b""
        super().connection_lost(exc)

    def is_last(self, request: web.BaseRequest) -> bool:
        """Return whether the answer to a request must close the connection.

        It must if the request body is incomplete: its rest could be parsed as the next request, or
        the next request as its rest.
        """
        payload, headers = request.content, request.headers
        return (
            not payload.is_eof()
            # Upgrades are not supported, but the parser would keep the data that follows.
            or "Upgrade" in headers
            # The head announces a body that the parser does not deliver.
            or (payload is EMPTY_PAYLOAD and headers.get("Content-Length", "").strip("0") != "")
            # No request follows.
            or (not self._messages and (self._is_broken or (self._has_ended and not self._held)))
        )

    def answered(self) -> None:
        """Record that a request is answered. Only the data behind it still uses memory."""
        if self._received > LARGE_BYTES:
            self.request_over()
        self._received = 0
        if self._messages or self._held:
            self._received = len(self._held) + sum(_size(message) for message, _ in self._messages)
            if self._received > LARGE_BYTES:
                self.request_grew(self._received)

    def answer_last(self, request: web.BaseRequest) -> None:
        """Record that the answer to a request closes the connection."""
        self._has_answered = True
        if self._has_ended:
            self._close = True
        if request.content.exception() is not None:
            request.content.feed_eof()  # otherwise aiohttp drains the rest


def _size(message: object) -> int:
    """Return the approximate length of a head, 0 if it was rejected."""
    headers = message.raw_headers if isinstance(message, RawRequestMessage) else ()
    return sum(len(name) + len(value) for name, value in headers)
