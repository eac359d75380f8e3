"""Tracks the state of a connection for the connection limits."""

import asyncio
from typing import Any, cast

from aiohttp import web

from service.limits.client_limits import UNREAD_EACH_BYTES
from service.server.open_connections import Connections
from service.server.partial_requests import Group
from service.telemetry import logs


class Watched(web.RequestHandler):
    """A connection that reports when a request head or body starts, grows and is complete.

    aiohttp's own timer (3.14) starts at the last answer: a head may take 75 s, and a connection
    whose client does not read its last answer stays open without limit.
    """

    __slots__ = ("_awaits_head", "_connections", "_socket", "_unread_since", "group")

    def __init__(self, server: web.Server, *, connections: Connections, **options: Any) -> None:
        super().__init__(server, **options)
        self._connections = connections
        self._socket: asyncio.Transport | None = None
        self._awaits_head = True
        self._unread_since: float | None = None
        self.group: Group = Group(0, 0)

    @property
    def is_idle(self) -> bool:
        """Whether it waits for the next request."""
        return self._waiter is not None and not self._messages

    @property
    def is_unread(self) -> bool:
        """Whether part of an answer is still in the send buffer."""
        return self._socket is not None and self._socket.get_write_buffer_size() > 0

    def seconds_unread(self, now: float) -> float:
        """Return how long the send buffer has not been empty. Called about once a second."""
        if not self.is_unread:
            self._unread_since = None
            return 0
        if self._unread_since is None:
            self._unread_since = now
        return now - self._unread_since

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Open the connection. The time limit of the first request head starts now."""
        super().connection_made(transport)
        self._socket = cast("asyncio.Transport", transport)  # uvloop's is no subclass
        peer = transport.get_extra_info("peername")
        self._socket.set_write_buffer_limits(high=UNREAD_EACH_BYTES)
        self._connections.opened(self, peer[0] if isinstance(peer, tuple) else None)
        if self._task_handler is not None:
            self._task_handler.add_done_callback(self._handler_ended)

    def _handler_ended(self, task: "asyncio.Task[None]") -> None:
        """Close the connection if its handler failed, since its requests get no answer."""
        if not task.cancelled() and (error := task.exception()) is not None:
            logs.unexpected(error)
            self.hang_up()

    def pause_writing(self) -> None:
        """Record that the send buffer is large."""
        super().pause_writing()
        if self in self.group.open and self._socket is not None:
            self._connections.unread_grew(self, self._socket.get_write_buffer_size())

    def resume_writing(self) -> None:
        """Record that the send buffer is small again."""
        super().resume_writing()
        self.group.unread.complete(self)

    def head_grew(self, size: int) -> None:
        """Record more bytes of an incomplete request head."""
        self._awaits_head = True
        if self in self.group.open:
            self._connections.head_grew(self, size)

    def head_complete(self) -> None:
        """Record a complete request head. Its body may be incomplete."""
        group = self.group
        if self._awaits_head:
            self._awaits_head = False
            group.heads.complete(self)
        group.has_request(self, self._loop.time())

    def request_grew(self, size: int) -> None:
        """Record more bytes of a large request."""
        if self in self.group.open:
            self._connections.request_grew(self, size)

    def request_over(self) -> None:
        """Record that a large request is answered."""
        self.group.requests.complete(self)

    def body_grew(self, size: int) -> None:
        """Record more bytes of an incomplete request body."""
        if self in self.group.open:
            self._connections.body_grew(self, size)

    def body_complete(self) -> None:
        """Record that a body is complete or was given up."""
        self.group.bodies.complete(self)

    def give_up_body(self) -> None:
        """Answer the request with the incomplete body and close the connection."""
        self.hang_up()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Clean up after the connection is closed."""
        self._connections.closed(self)
        self._socket = None
        super().connection_lost(exc)

    def hang_up(self) -> None:
        """Close at once. Discards data that the client has not read."""
        if self._socket is not None:
            self._socket.abort()
