"""Where a request ends on a connection, so that none of its bytes becomes part of the next one."""

from typing import Any, cast

from aiohttp import web
from aiohttp.http import HttpRequestParser, RawRequestMessage
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader

from service.limits.client_limits import LARGE_BYTES, QUEUED
from service.server.chunked_body import Chunks, Malformed
from service.server.connection_state import Watched
from service.web.body import BodyGivenUp

_END = b"\r\n\r\n"
"""What ends each head."""


class FramedHandler(Watched):
    """Feeds the parser one head or body at a time, and knows which answer must be the last.

    docs/decisions/0022-request-bodies.md says what aiohttp's parser does without this: a trailer
    becomes a header of the next request, and what follows CONNECT becomes a request.
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
        # The newest request, as long as its body has not arrived completely.
        self._body: tuple[RawRequestMessage, StreamReader] | None = None
        # What has arrived and waits until the parser has room.
        self._held = b""
        # The last bytes given to the parser, since they may be the start of `_END`.
        self._edge = b""
        # What is known of the newest chunked body.
        self._chunks = Chunks()
        # Nothing is held, and no head or body has arrived in part.
        self._is_idle = True
        # What follows cannot be read as requests.
        self._is_broken = False
        # The client sends no more.
        self._has_ended = False
        # The last answer is on its way.
        self._has_answered = False
        # How much has come since there was nothing to answer.
        self._received = 0
        self._max_msg_queue_size, self._msg_queue_resume_size = QUEUED, QUEUED - 1

    def data_received(self, data: bytes) -> None:
        """Give the parser what has arrived."""
        received = self._received + len(data)
        if received > LARGE_BYTES:
            self.request_grew(received if self._received <= LARGE_BYTES else len(data))
        self._received = received
        # Nearly always: exactly one head, and no body.
        if self._is_idle and data.find(_END) + 4 == len(data) != 3:
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
        """Take no more from the socket; the parser itself is never paused.

        A paused parser keeps a part of what it was given, perhaps until it gets the next request.
        """
        self._reading_paused = True
        self._pause_transport_reading()

    def _feed_head(self, data: bytes, start: int) -> int:
        """Give the parser what there is of a head; return where it ends."""
        edge = self._edge
        # The end may have begun in what arrived before.
        if edge and (found := (edge + data[start : start + 3]).find(_END)) >= 0:
            end = start - len(edge) + found + len(_END)
        elif (found := data.find(_END, start)) >= 0:
            end = found + len(_END)
        else:
            self._edge = (edge + data[max(start, len(data) - 3) :])[-3:]
            self._feed(data[start:])
            return len(data)
        self._edge = b""
        self._feed(data[start:end])
        return end

    def _feed(self, piece: bytes) -> None:
        """Give a piece of a head to the parser, and note what has become of it."""
        count = self._request_count
        super().data_received(piece)
        if self._request_count != count:
            self.head_complete()
            if not self._messages[-1][1].is_eof():
                self._body = cast("tuple[RawRequestMessage, StreamReader]", self._messages[-1])
                self._chunks = Chunks()
                self.body_grew(0)
        elif piece:
            self.head_grew(len(piece))

    def _feed_body(self, data: bytes, start: int) -> int:
        """Give the parser what there is of a body, and nothing else; return where it ends."""
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
            missing = int(message.headers["Content-Length"]) - payload.total_bytes
            end = min(start + missing, len(data))
            super().data_received(data[start:end])
            is_complete = end - start == missing
        if payload.is_eof() != is_complete or self._is_refused():
            self._break_body()  # the parser takes it for something else
        elif not is_complete:
            self.body_grew(end - start)
        else:
            self.body_complete()
            self._body = None
            if message.chunked:
                # The old one would put the trailers into the next request.
                self._parser = self._new_parser()
        return end

    def _is_refused(self) -> bool:
        """Tell whether the parser has found the newest body malformed."""
        return bool(self._messages) and not isinstance(self._messages[-1][0], RawRequestMessage)

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
        """End a body that will never be complete: reading it fails at once."""
        self._end_body(web.RequestPayloadError("the body is not complete"))

    def give_up_body(self) -> None:
        """Wait no longer for the rest of a body: reading it fails at once."""
        self._end_body(BodyGivenUp("the body takes long, and there are many others"))

    def _end_body(self, problem: web.RequestPayloadError) -> None:
        if self._body is None:
            return
        self._is_broken = True
        self.body_complete()
        if self._has_answered:
            self._body[1].feed_eof()  # aiohttp only waits for the rest
        else:
            self._body[1].set_exception(problem)

    def eof_received(self) -> bool:  # type: ignore[override]  # as asyncio has it
        """Answer what a client sent before it stopped sending, and close only then."""
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            return False
        self._has_ended = True
        if not self._held:
            self._break_body()
        if not self._messages and not self._held:
            self._close = True
        return True

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget what will not be read."""
        self._body, self._held = None, b""
        super().connection_lost(exc)

    def is_last(self, request: web.BaseRequest) -> bool:
        """Tell whether the answer to a request must close the connection.

        It must unless the request's body has arrived to its end: what follows would be taken for
        the next request, or the next request for the rest of the body.
        """
        payload, headers = request.content, request.headers
        return (
            not payload.is_eof()
            # An upgrade is never taken up, and the parser would keep what follows.
            or "Upgrade" in headers
            # The head announces a body that the parser does not give us.
            or (payload is EMPTY_PAYLOAD and headers.get("Content-Length", "").strip("0") != "")
            # Nothing comes after it.
            or (not self._messages and (self._is_broken or (self._has_ended and not self._held)))
        )

    def answered(self) -> None:
        """Note that a request has its answer: only what waits behind it takes memory now."""
        if self._received > LARGE_BYTES:
            self.request_over()
        self._received = 0
        if self._messages or self._held:
            self._received = len(self._held) + sum(_size(message) for message, _ in self._messages)
            if self._received > LARGE_BYTES:
                self.request_grew(self._received)

    def answer_last(self, request: web.BaseRequest) -> None:
        """Note that the answer to a request closes the connection."""
        self._has_answered = True
        if self._has_ended:
            self._close = True
        if request.content.exception() is not None:
            request.content.feed_eof()  # aiohttp would wait for the rest


def _size(message: object) -> int:
    """Return how long a head is, about; one that was refused has none."""
    headers = message.raw_headers if isinstance(message, RawRequestMessage) else ()
    return sum(len(name) + len(value) for name, value in headers)
