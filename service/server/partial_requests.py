"""Open connections, and what they have sent in part: since when, and how many bytes."""

import sys
from collections import OrderedDict
from collections.abc import Iterator
from itertools import chain, takewhile
from typing import Protocol


class Client(Protocol):
    """What is known of an open connection, and can be done with it."""

    group: "Group"

    @property
    def is_idle(self) -> bool:
        """Whether it waits for the next request."""

    @property
    def is_unread(self) -> bool:
        """Whether a part of an answer waits for the client to read."""

    def seconds_unread(self, now: float) -> float:
        """Return for how long parts of answers have waited."""

    def give_up_body(self) -> None:
        """Wait no longer for the rest of a request body."""

    def hang_up(self) -> None:
        """Close at once."""


class Parts:
    """Request heads, or request bodies, that wait for their rest; at most one of each connection.

    Of one part at most `counted` bytes count: what is longer is refused, and is not kept.
    """

    def __init__(self, counted: int) -> None:
        self._counted = counted
        self._begun: OrderedDict[Client, float] = OrderedDict()
        self._sizes: dict[Client, int] = {}
        self.bytes = 0

    def __len__(self) -> int:
        """How many there are."""
        return len(self._begun)

    def __iter__(self) -> Iterator[Client]:
        """Go through their connections, the oldest part first."""
        return iter(self._begun)

    def __contains__(self, connection: Client) -> bool:
        """Whether a connection has one."""
        return connection in self._begun

    def begun(self, before: float) -> Iterator[Client]:
        """Go through the connections of those that were begun before a moment, the oldest first."""
        return (each for each, _ in takewhile(lambda part: part[1] < before, self._begun.items()))

    def oldest(self) -> tuple[Client, float]:
        """Return whose part is the oldest, and since when it is there."""
        return next(iter(self._begun.items()))

    def grow(self, connection: Client, size: int, now: float) -> bool:
        """Note that more is there; tell whether it is as much as counts, or more."""
        before = self._sizes.get(connection)
        if before is None:
            self._begun[connection] = now
            before = 0
        after = min(before + size, self._counted)
        self._sizes[connection] = after
        self.bytes += after - before
        return after == self._counted

    def restart(self, connection: Client, now: float) -> None:
        """Make a part the newest one."""
        self._begun[connection] = now
        self._begun.move_to_end(connection)

    def complete(self, connection: Client) -> None:
        """Forget a part, if there is one."""
        size = self._sizes.pop(connection, None)
        if size is not None:
            self.bytes -= size
            del self._begun[connection]


class Group:
    """The open connections of trusted proxies, or those of all others.

    `open` has the time of the last request of each; the oldest comes first.
    """

    def __init__(self, head_bytes: int, body_bytes: int) -> None:
        self.open: OrderedDict[Client, float] = OrderedDict()
        self.heads: Parts = Parts(head_bytes)
        self.bodies: Parts = Parts(body_bytes)
        # Answers of which much waits for the client to read.
        self.unread: Parts = Parts(sys.maxsize)
        # Those that have no answer, if they are large.
        self.requests: Parts = Parts(sys.maxsize)

    def waiting(self, before: float) -> Iterator[Client]:
        """Go through those that wait for their client, the least useful ones first.

        A request head that was begun since `before` is probably on its way.
        """
        idle = (each for each in self.open if each.is_idle and each not in self.heads)
        return chain(self.heads.begun(before), idle, self.heads, self.bodies)

    def at_work_since(self, before: float) -> Iterator[Client]:
        """Go through those whose last request is older than a moment, the oldest first."""
        return (each for each, since in self.open.items() if since < before)

    def has_request(self, connection: Client, now: float) -> None:
        """Note that a connection has a new request."""
        if connection in self.open:
            self.open[connection] = now
            self.open.move_to_end(connection)
