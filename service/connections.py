"""The open connections of a process: how many there may be, how long each may take, which close."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any, cast

from aiohttp import web
from aiohttp.streams import EMPTY_PAYLOAD

from service import logs
from service.descriptors import most_connections
from service.metrics import Metrics

HEAD_BYTES = 65_536
"""How long a request head may be in all; each line of it is bounded by the parser."""
HEADS_BYTES = 64 * 2**20
"""How much of incomplete heads there may be altogether. It takes twice as much memory."""
HEAD_SECONDS = 10.0
UNREAD_SECONDS = 30.0

_STEP_SECONDS = 1.0
_LOG_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Bounds:
    """What clients may take. `most` is the number of connections, by default from the system.

    A request head is complete `head_seconds` after its first byte, the first one of a connection
    after that was accepted; an answer is read within `unread_seconds`.
    """

    most: int | None = None
    head_seconds: float = HEAD_SECONDS
    unread_seconds: float = UNREAD_SECONDS


class Connections:
    """All that are open. When there are too many, old ones that serve nobody make room.

    First those whose request head is not complete, the oldest first; then idle ones, those first
    that were idle for longest; then those whose client does not read its answer. Connections of
    trusted proxies come last: behind each are many people.
    """

    def __init__(
        self,
        metrics: Metrics,
        loop: asyncio.AbstractEventLoop,
        is_trusted: Callable[[str | None], bool],
        bounds: Bounds,
    ) -> None:
        self._loop = loop
        self._metrics = metrics
        self._bounds = bounds
        self._most = bounds.most or most_connections()
        self._is_trusted = is_trusted
        self._heads: OrderedDict[Watched, float] = OrderedDict()
        self._heads_bytes = 0
        self._strangers: OrderedDict[Watched, None] = OrderedDict()
        self._proxies: OrderedDict[Watched, None] = OrderedDict()
        self._logged_at = -_LOG_SECONDS
        self._closed_unlogged = 0
        metrics.watch("connections", self.__len__)

    def __len__(self) -> int:
        """How many are open."""
        return len(self._strangers) + len(self._proxies)

    def opened(self, connection: "Watched", peer: str | None) -> None:
        """Take a new connection in, and make room for it if there is none."""
        connection.group = self._proxies if self._is_trusted(peer) else self._strangers
        if len(self) >= self._most:
            self._make_room(connection)
        connection.group[connection] = None
        self.head_grew(connection, 0)

    def head_grew(self, connection: "Watched", size: int) -> None:
        """Note that the first bytes of a request head are waited for, or that more are there."""
        self._heads.setdefault(connection, self._loop.time())  # a new key is the last one
        connection.head_bytes += size
        self._heads_bytes += size
        if connection.head_bytes > HEAD_BYTES:
            self._close(connection, "head")
        while self._heads_bytes > HEADS_BYTES:
            self._close(next(iter(self._heads)), "head")

    def head_complete(self, connection: "Watched") -> None:
        """Note that the head is complete."""
        self._heads.pop(connection, None)
        self._heads_bytes -= connection.head_bytes
        connection.head_bytes = 0

    def closed(self, connection: "Watched") -> None:
        """Forget a connection."""
        self.head_complete(connection)
        connection.group.pop(connection, None)

    async def watch(self) -> None:
        """Close what takes too long, for ever."""
        while True:
            await asyncio.sleep(min(_STEP_SECONDS, self._bounds.head_seconds / 4))
            self.close_late()

    def close_late(self) -> None:
        """Close connections whose head is late, and those whose client does not read."""
        now = self._loop.time()
        while self._heads:
            connection, begun = next(iter(self._heads.items()))
            if begun > now - self._bounds.head_seconds:
                break
            if connection.is_idle:
                self._close(connection, "head")
            else:  # the request before it takes long
                self._heads[connection] = now
                self._heads.move_to_end(connection)
        for connection in [*self._strangers, *self._proxies]:
            if connection.seconds_unread(now) > self._bounds.unread_seconds:
                self._close(connection, "unread")

    def _make_room(self, newcomer: "Watched") -> None:
        victim = next(self._victims(), None)
        if victim is None:
            newcomer.hang_up()  # everything is at work
            self._metrics.closed("busy")
        else:
            self._close(victim, "room")
        self._closed_unlogged += 1
        if self._loop.time() - self._logged_at >= _LOG_SECONDS:
            self._logged_at = self._loop.time()
            logs.event(
                "connections_full",
                level=logs.WARNING,
                most=self._most,
                closed=self._closed_unlogged,
            )
            self._closed_unlogged = 0

    def _victims(self) -> Iterator["Watched"]:
        return chain(
            (each for each in self._heads if each.group is self._strangers),
            (each for each in self._strangers if each.is_idle),
            (each for each in self._strangers if each.is_unread),
            (each for each in self._heads if each.group is self._proxies),
            (each for each in self._proxies if each.is_idle),
        )

    def _close(self, connection: "Watched", reason: str) -> None:
        self.closed(connection)
        self._metrics.closed(reason)
        connection.hang_up()


class Watched(web.RequestHandler):
    """A connection that says when a request head begins, and when it is complete.

    aiohttp's own timer (3.14) looks at the last answer alone: a head may take 75 s, and what is
    closed with an answer that nobody reads stays open for ever.
    """

    __slots__ = (
        "_awaits_head",
        "_connections",
        "_newest_body",
        "_socket",
        "_unread_since",
        "group",
        "head_bytes",
    )

    def __init__(self, server: web.Server, *, connections: Connections, **options: Any) -> None:
        super().__init__(server, **options)
        self._connections = connections
        self._socket: asyncio.Transport | None = None
        self._newest_body: Any = EMPTY_PAYLOAD
        self._awaits_head = True
        self._unread_since: float | None = None
        self.head_bytes = 0
        self.group: OrderedDict[Watched, None] = OrderedDict()

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
        self._connections.opened(self, peer[0] if isinstance(peer, tuple) else None)

    def data_received(self, data: bytes) -> None:
        """Take what the client sent in, and note where request heads begin and end."""
        count, is_between = self._request_count, self._newest_body.is_eof()
        super().data_received(data)
        if self._request_count != count:
            if self._awaits_head:
                self._awaits_head = False
                self._connections.head_complete(self)
            if self in self.group:
                self.group.move_to_end(self)
            self._newest_body = self._messages[-1][1]
            if self._newest_body is EMPTY_PAYLOAD and data and not data.endswith(b"\n\r\n"):
                self._await_head(len(data))  # of the next request
        elif is_between and data:
            self._await_head(len(data))

    def connection_lost(self, exc: BaseException | None) -> None:
        """End."""
        self._connections.closed(self)
        self._socket = None
        super().connection_lost(exc)

    def hang_up(self) -> None:
        """Close at once: what the client has not read by now is lost."""
        if self._socket is not None:
            self._socket.abort()

    def _await_head(self, size: int) -> None:
        self._awaits_head = True
        if self in self.group:
            self._connections.head_grew(self, size)
