"""Open connections, and what they have sent in part: since when, and how many bytes."""

from collections import OrderedDict
from collections.abc import Iterator
from itertools import chain
from typing import Generic, Protocol, TypeVar

_C = TypeVar("_C", bound="_Connection")


class _Connection(Protocol):
    @property
    def is_idle(self) -> bool: ...


class Parts(Generic[_C]):
    """Request heads, or request bodies, that wait for their rest; at most one of each connection.

    Of one part at most `counted` bytes count: what is longer is refused, and is not kept.
    """

    def __init__(self, counted: int) -> None:
        self._counted = counted
        self._begun: OrderedDict[_C, float] = OrderedDict()
        self._sizes: dict[_C, int] = {}
        self.bytes = 0

    def __len__(self) -> int:
        """How many there are."""
        return len(self._begun)

    def __iter__(self) -> Iterator[_C]:
        """Go through their connections, the oldest part first."""
        return iter(self._begun)

    def oldest(self) -> tuple[_C, float]:
        """Return whose part is the oldest, and since when it is there."""
        return next(iter(self._begun.items()))

    def grow(self, connection: _C, size: int, now: float) -> bool:
        """Note that more is there; tell whether it is as much as counts, or more."""
        before = self._sizes.get(connection)
        if before is None:
            self._begun[connection] = now
            before = 0
        after = min(before + size, self._counted)
        self._sizes[connection] = after
        self.bytes += after - before
        return after == self._counted

    def restart(self, connection: _C, now: float) -> None:
        """Make a part the newest one."""
        self._begun[connection] = now
        self._begun.move_to_end(connection)

    def complete(self, connection: _C) -> None:
        """Forget a part, if there is one."""
        size = self._sizes.pop(connection, None)
        if size is not None:
            self.bytes -= size
            del self._begun[connection]


class Group(Generic[_C]):
    """The open connections of trusted proxies, or those of all others.

    `open` has the time of the last request of each; the oldest comes first.
    """

    def __init__(self, head_bytes: int, body_bytes: int) -> None:
        self.open: OrderedDict[_C, float] = OrderedDict()
        self.heads: Parts[_C] = Parts(head_bytes)
        self.bodies: Parts[_C] = Parts(body_bytes)

    def waiting(self) -> Iterator[_C]:
        """Go through those that wait for their client, the least useful ones first."""
        idle = (each for each in self.open if each.is_idle)
        return chain(self.heads, idle, self.bodies)

    def at_work_since(self, before: float) -> Iterator[_C]:
        """Go through those whose last request is older than a moment, the oldest first."""
        return (each for each, since in self.open.items() if since < before)

    def has_request(self, connection: _C, now: float) -> None:
        """Note that a connection has a new request."""
        if connection in self.open:
            self.open[connection] = now
            self.open.move_to_end(connection)
