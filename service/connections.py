"""The open connections of a process: how many there may be, how long each may take, which close."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, cast

from aiohttp import web

from service import logs
from service.descriptors import most_connections
from service.metrics import Metrics
from service.parts import Group, Parts

HEAD_BYTES = 65_536
"""How long a request head may be in all; each line of it is bounded by the parser."""
HEADS_BYTES = 64 * 2**20
"""How much of incomplete heads there may be altogether. It takes twice as much memory."""
BODY_BYTES = 65_536
BODIES_BYTES = 64 * 2**20
"""How much of incomplete bodies there may be altogether: half of it from trusted proxies."""
BODIES_SHARE = 4
"""One of so many connections may wait for the rest of a body; the same for trusted proxies."""
STRANGERS_SHARE = 8
"""If fewer than one of so many connections is no trusted proxy's, a new one may close those."""
HEAD_SECONDS = 10.0
UNREAD_SECONDS = 30.0
AT_WORK_SECONDS = 0.5
"""If all others are at work, one that has been for so long makes room: most of them only wait."""

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


class BodyGivenUp(web.RequestPayloadError):
    """A body that is not waited for any longer, since newer ones need the memory."""


class Connections:
    """All that are open. When there are too many, old ones that serve nobody make room.

    First those whose request head is not complete, the oldest first; then idle ones, those first
    that were idle for longest; then those whose request body is not complete, the oldest first;
    then those whose client does not read its answer. Connections of trusted proxies come last,
    since behind each are many people: others close them only while they have few themselves. If
    every other one is at work, the one that has been for longest makes room.
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
        self._strangers: Group[Watched] = Group(HEAD_BYTES + 1, BODY_BYTES)
        self._proxies: Group[Watched] = Group(HEAD_BYTES + 1, BODY_BYTES)
        self._logged_at = -_LOG_SECONDS
        self._closed_unlogged = 0
        metrics.watch("connections", self.__len__)

    def __len__(self) -> int:
        """How many are open."""
        return len(self._strangers.open) + len(self._proxies.open)

    def opened(self, connection: "Watched", peer: str | None) -> None:
        """Take a new connection in, and make room for it if there is none."""
        connection.group = self._proxies if self._is_trusted(peer) else self._strangers
        if len(self) >= self._most:
            self._make_room(connection)
        connection.group.open[connection] = self._loop.time()
        self.head_grew(connection, 0)

    def head_grew(self, connection: "Watched", size: int) -> None:
        """Note that the first bytes of a request head are waited for, or that more are there."""
        if connection.group.heads.grow(connection, size, self._loop.time()):
            self._close(connection, "head")
        strangers, proxies = self._strangers.heads, self._proxies.heads
        while strangers.bytes + proxies.bytes > HEADS_BYTES:
            self._close((strangers if strangers.bytes else proxies).oldest()[0], "head")

    def body_grew(self, connection: "Watched", size: int) -> None:
        """Note that the first bytes of a request body are waited for, or that more are there."""
        bodies = connection.group.bodies
        bodies.grow(connection, size, self._loop.time())
        while bodies.bytes > BODIES_BYTES // 2 or len(bodies) > max(1, self._most // BODIES_SHARE):
            oldest, _ = bodies.oldest()
            bodies.complete(oldest)
            self._metrics.closed("body")
            oldest.give_up_body()

    def closed(self, connection: "Watched") -> None:
        """Forget a connection."""
        connection.group.heads.complete(connection)
        connection.group.bodies.complete(connection)
        connection.group.open.pop(connection, None)

    async def watch(self) -> None:
        """Close what takes too long, for ever."""
        while True:
            await asyncio.sleep(min(_STEP_SECONDS, self._bounds.head_seconds / 4))
            self.close_late()

    def close_late(self) -> None:
        """Close connections whose head is late, and those whose client does not read."""
        now = self._loop.time()
        for group in (self._strangers, self._proxies):
            self._close_late_heads(group.heads, now)
            for connection in list(group.open):
                if connection.seconds_unread(now) > self._bounds.unread_seconds:
                    self._close(connection, "unread")

    def _close_late_heads(self, heads: Parts["Watched"], now: float) -> None:
        while heads:
            connection, begun = heads.oldest()
            if begun > now - self._bounds.head_seconds:
                break
            if connection.is_idle:
                self._close(connection, "head")
            else:  # the request before it takes long
                heads.restart(connection, now)

    def _make_room(self, newcomer: "Watched") -> None:
        victim = next(self._victims(newcomer), None)
        if victim is None:
            newcomer.hang_up()  # everything has just begun
            self._metrics.closed("busy")
        else:
            self._close(victim, "room")
        self._closed_unlogged += 1
        if self._loop.time() - self._logged_at >= _LOG_SECONDS:
            self._logged_at = self._loop.time()
            closed, self._closed_unlogged = self._closed_unlogged, 0
            logs.event("connections_full", level=logs.WARNING, most=self._most, closed=closed)

    def _victims(self, newcomer: "Watched") -> Iterator["Watched"]:
        strangers, proxies = self._strangers, self._proxies
        yield from strangers.waiting()
        yield from (each for each in strangers.open if each.is_unread)
        if newcomer.group is proxies:
            yield from strangers.open
        if newcomer.group is proxies or len(strangers.open) < self._most // STRANGERS_SHARE:
            yield from proxies.waiting()
        yield from strangers.at_work_since(self._loop.time() - AT_WORK_SECONDS)

    def _close(self, connection: "Watched", reason: str) -> None:
        self.closed(connection)
        self._metrics.closed(reason)
        connection.hang_up()


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
        self.group: Group[Watched] = Group(0, 0)

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
