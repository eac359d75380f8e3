"""A connection, as those who bound connections see it."""

import asyncio
from typing import Any, cast

from aiohttp import web

from service.limits.client_limits import UNREAD_EACH_BYTES
from service.server.open_connections import Connections
from service.server.partial_requests import Group
from service.telemetry import logs


class Watched(web.RequestHandler):
    """A connection that is told when a request head or body begins, grows, and is complete.

    aiohttp's own timer (3.14) looks at the last answer alone: a head may take 75 s, and what is
    closed with an answer that nobody reads stays open for ever.
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
        """Whether a part of an answer waits for the client to read."""
        return self._socket is not None and self._socket.get_write_buffer_size() > 0

    def seconds_unread(self, now: float) -> float:
        """Return for how long parts of answers have waited; asked about once a second."""
        if not self.is_unread:
            self._unread_since = None
            return 0
        if self._unread_since is None:
            self._unread_since = now
        return now - self._unread_since

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin; the client has to send a request head now."""
        super().connection_made(transport)
        self._socket = cast("asyncio.Transport", transport)  # uvloop's is no subclass
        peer = transport.get_extra_info("peername")
        self._socket.set_write_buffer_limits(high=UNREAD_EACH_BYTES)
        self._connections.opened(self, peer[0] if isinstance(peer, tuple) else None)
        if self._task_handler is not None:
            self._task_handler.add_done_callback(self._handler_ended)

    def _handler_ended(self, task: "asyncio.Task[None]") -> None:
        """Close a connection whose requests will never be answered, because of a fault."""
        if not task.cancelled() and (error := task.exception()) is not None:
            logs.unexpected(error)
            self.hang_up()

    def pause_writing(self) -> None:
        """Note that much of an answer waits for the client to read."""
        super().pause_writing()
        if self in self.group.open and self._socket is not None:
            self._connections.unread_grew(self, self._socket.get_write_buffer_size())

    def resume_writing(self) -> None:
        """Note that the client has read most of it."""
        super().resume_writing()
        self.group.unread.complete(self)

    def head_grew(self, size: int) -> None:
        """Note that there are more bytes of a head that is not complete."""
        self._awaits_head = True
        if self in self.group.open:
            self._connections.head_grew(self, size)

    def head_complete(self) -> None:
        """Note that a request is there, perhaps without the rest of its body."""
        group = self.group
        if self._awaits_head:
            self._awaits_head = False
            group.heads.complete(self)
        group.has_request(self, self._loop.time())

    def request_grew(self, size: int) -> None:
        """Note that a large request takes more bytes."""
        if self in self.group.open:
            self._connections.request_grew(self, size)

    def request_over(self) -> None:
        """Note that a large request has its answer."""
        self.group.requests.complete(self)

    def body_grew(self, size: int) -> None:
        """Note that there are more bytes of a body that is not complete."""
        if self in self.group.open:
            self._connections.body_grew(self, size)

    def body_complete(self) -> None:
        """Note that a body is there, or is not waited for any longer."""
        self.group.bodies.complete(self)

    def give_up_body(self) -> None:
        """Answer the request whose body is not complete, and close."""
        self.hang_up()

    def connection_lost(self, exc: BaseException | None) -> None:
        """End."""
        self._connections.closed(self)
        self._socket = None
        super().connection_lost(exc)

    def hang_up(self) -> None:
        """Close at once: what the client has not read by now is lost."""
        if self._socket is not None:
            self._socket.abort()
