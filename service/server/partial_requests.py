"""Open connections with the age and size of their incomplete requests."""

import sys
from collections import OrderedDict
from collections.abc import Iterator
from itertools import chain, takewhile
from typing import Protocol


class Client(Protocol):
    """An open connection, as the limits use it."""

    group: "Group"

    @property
    def is_idle(self) -> bool:
        """Whether it waits for the next request."""

    @property
    def is_unread(self) -> bool:
        """Whether part of an answer is still in the send buffer."""

    def seconds_unread(self, now: float) -> float:
        """Return how long the send buffer has not been empty."""

    def give_up_body(self) -> None:
        """Stop waiting for the rest of a request body."""

    def hang_up(self) -> None:
        """Close at once."""


class Parts:
    """Incomplete request heads or bodies, at most one per connection.

    At most `counted` bytes of each are counted. Longer ones are rejected and not kept.
    """

    def __init__(self, counted: int) -> None:
        self._counted = counted
        self._begun: OrderedDict[Client, float] = OrderedDict()
        self._sizes: dict[Client, int] = {}
        self.bytes = 0

    def __len__(self) -> int:
        """Return the number of parts."""
        return len(self._begun)

    def __iter__(self) -> Iterator[Client]:
        """Iterate over the connections, oldest part first."""
        return iter(self._begun)

    def __contains__(self, connection: Client) -> bool:
        """Return whether a connection has a part."""
        return connection in self._begun

    def begun(self, before: float) -> Iterator[Client]:
        """Iterate over the connections whose part started before a time, oldest first."""
        return (each for each, _ in takewhile(lambda part: part[1] < before, self._begun.items()))

    def oldest(self) -> tuple[Client, float]:
        """Return the connection of the oldest part, and when it started."""
        return next(iter(self._begun.items()))

    def grow(self, connection: Client, size: int, now: float) -> None:
        """Record more bytes."""
        before = self._sizes.get(connection)
        if before is None:
            self._begun[connection] = now
            before = 0
        after = min(before + size, self._counted)
        self._sizes[connection] = after
        self.bytes += after - before

    def restart(self, connection: Client, now: float) -> None:
        """Restart the age of a part."""
        self._begun[connection] = now
        self._begun.move_to_end(connection)

    def complete(self, connection: Client) -> None:
        """Remove a part if it exists."""
        size = self._sizes.pop(connection, None)
        if size is not None:
            self.bytes -= size
            del self._begun[connection]


class Group:
    """The open connections of trusted proxies, or of all other clients.

    `open` has the time of the last request of each connection, oldest first.
    """

    def __init__(self, head_bytes: int, body_bytes: int) -> None:
        self.open: OrderedDict[Client, float] = OrderedDict()
        self.heads: Parts = Parts(head_bytes)
        self.bodies: Parts = Parts(body_bytes)
        # Large answers that the client has not read.
        self.unread: Parts = Parts(sys.maxsize)
        # Large requests without an answer.
        self.requests: Parts = Parts(sys.maxsize)

    def waiting(self, before: float) -> Iterator[Client]:
        """Iterate over connections that wait for their client, least useful first.

        A request head that started after `before` will probably arrive.
        """
        idle = (each for each in self.open if each.is_idle and each not in self.heads)
        return chain(self.heads.begun(before), idle, self.heads, self.bodies)

    def at_work_since(self, before: float) -> Iterator[Client]:
        """Iterate over connections whose last request is older than a time, oldest first."""
        return (each for each, since in self.open.items() if since < before)

    def has_request(self, connection: Client, now: float) -> None:
        """Record a new request of a connection."""
        if connection in self.open:
            self.open[connection] = now
            self.open.move_to_end(connection)
