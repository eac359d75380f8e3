"""The limits of open connections: their number, their time, and which are closed."""

import asyncio
from collections.abc import Callable, Iterator

from service.limits.client_limits import (
    AT_WORK_SECONDS,
    BODIES_BYTES,
    BODIES_SHARE,
    BODY_BYTES,
    HEAD_BYTES,
    HEADS_BYTES,
    LARGE_REQUESTS_BYTES,
    STRANGERS_SHARE,
    UNREAD_BYTES,
    YOUNG_SECONDS,
    Bounds,
)
from service.server.partial_requests import Client, Group, Parts
from service.system.descriptors import most_connections
from service.telemetry import logs
from service.telemetry.metrics import Metrics

_STEP_SECONDS = 1.0
_LOG_SECONDS = 60.0


class Connections:
    """All open connections. If there are too many, the least useful connections are closed.

    The order: request heads that are incomplete after a second, oldest first; idle connections,
    longest idle first; newer incomplete heads; incomplete bodies; clients that do not read their
    answer. Connections of trusted proxies come last, because each serves many clients: others close
    them only while they are few themselves. If all others are busy, the longest busy one is closed.
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
        self._strangers: Group = Group(HEAD_BYTES + 1, BODY_BYTES)
        self._proxies: Group = Group(HEAD_BYTES + 1, BODY_BYTES)
        self._logged_at = -_LOG_SECONDS
        self._closed_unlogged = 0
        metrics.watch("connections", self.__len__)

    def __len__(self) -> int:
        """Return the number of open connections."""
        return len(self._strangers.open) + len(self._proxies.open)

    def opened(self, connection: Client, peer: str | None) -> None:
        """Add a new connection. Close another one if there are too many."""
        connection.group = self._proxies if self._is_trusted(peer) else self._strangers
        if len(self) >= self._most:
            self._make_room(connection)
        connection.group.open[connection] = self._loop.time()
        self.head_grew(connection, 0)

    def head_grew(self, connection: Client, size: int) -> None:
        """Record that a request head is expected, or that it has more bytes."""
        connection.group.heads.grow(connection, size, self._loop.time())
        strangers, proxies = self._strangers.heads, self._proxies.heads
        while strangers.bytes + proxies.bytes > HEADS_BYTES:
            self._close((strangers if strangers.bytes else proxies).oldest()[0], "head")

    def body_grew(self, connection: Client, size: int) -> None:
        """Record that a request body is expected, or that it has more bytes."""
        bodies = connection.group.bodies
        bodies.grow(connection, size, self._loop.time())
        while bodies.bytes > BODIES_BYTES // 2 or len(bodies) > max(1, self._most // BODIES_SHARE):
            oldest, _ = bodies.oldest()
            bodies.complete(oldest)
            self._metrics.closed("body")
            oldest.give_up_body()

    def request_grew(self, connection: Client, size: int) -> None:
        """Record more bytes of a large request and of the data behind it."""
        connection.group.requests.grow(connection, size, self._loop.time())
        strangers, proxies = self._strangers.requests, self._proxies.requests
        while strangers.bytes + proxies.bytes > LARGE_REQUESTS_BYTES:
            self._close((strangers if strangers.bytes else proxies).oldest()[0], "room")

    def unread_grew(self, connection: Client, size: int) -> None:
        """Record the bytes of an answer that the client has not read."""
        connection.group.unread.grow(connection, size, self._loop.time())
        strangers, proxies = self._strangers.unread, self._proxies.unread
        while strangers.bytes + proxies.bytes > UNREAD_BYTES:
            self._close((strangers if strangers.bytes else proxies).oldest()[0], "unread")

    def closed(self, connection: Client) -> None:
        """Remove a connection."""
        connection.group.unread.complete(connection)
        connection.group.requests.complete(connection)
        connection.group.heads.complete(connection)
        connection.group.bodies.complete(connection)
        connection.group.open.pop(connection, None)

    async def watch(self) -> None:
        """Close late connections until cancelled."""
        while True:
            await asyncio.sleep(min(_STEP_SECONDS, self._bounds.head_seconds / 4))
            self.close_late()

    def close_late(self) -> None:
        """Close connections with a late head, and clients that do not read."""
        now = self._loop.time()
        for group in (self._strangers, self._proxies):
            self._close_late_heads(group.heads, now)
            for connection in list(group.open):
                if connection.seconds_unread(now) > self._bounds.unread_seconds:
                    self._close(connection, "unread")

    def _close_late_heads(self, heads: Parts, now: float) -> None:
        while heads:
            connection, begun = heads.oldest()
            if begun > now - self._bounds.head_seconds:
                break
            if connection.is_idle:
                self._close(connection, "head")
            else:  # the previous request is still running
                heads.restart(connection, now)

    def _make_room(self, newcomer: Client) -> None:
        victim = next(self._victims(newcomer), None)
        if victim is None:
            newcomer.hang_up()  # all others are too young to close
            self._metrics.closed("busy")
        else:
            self._close(victim, "room")
        self._closed_unlogged += 1
        if self._loop.time() - self._logged_at >= _LOG_SECONDS:
            self._logged_at = self._loop.time()
            closed, self._closed_unlogged = self._closed_unlogged, 0
            logs.event("connections_full", level=logs.WARNING, most=self._most, closed=closed)

    def _victims(self, newcomer: Client) -> Iterator[Client]:
        strangers, proxies, now = self._strangers, self._proxies, self._loop.time()
        yield from strangers.waiting(now - YOUNG_SECONDS)
        yield from (each for each in strangers.open if each.is_unread)
        if newcomer.group is proxies:
            yield from strangers.open
        if newcomer.group is proxies or len(strangers.open) < self._most // STRANGERS_SHARE:
            yield from proxies.waiting(now - YOUNG_SECONDS)
        yield from strangers.at_work_since(now - AT_WORK_SECONDS)

    def _close(self, connection: Client, reason: str) -> None:
        self.closed(connection)
        self._metrics.closed(reason)
        connection.hang_up()
