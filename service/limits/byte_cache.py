"""A cache of recent values with a size limit in bytes."""

from collections import OrderedDict
from collections.abc import Callable
from typing import TypeVar

_K = TypeVar("_K")
_V = TypeVar("_V")


class Bounded(OrderedDict[_K, _V]):
    """Values by key. Above `most` bytes, the oldest values are removed.

    `size` returns the size of a key and its value in bytes, always the same. Use only `put` and
    `drop` to change the cache.
    """

    def __init__(self, most: int, size: Callable[[_K, _V], int]) -> None:
        super().__init__()
        self._most = most
        self._size = size
        self.bytes = 0

    def put(self, key: _K, value: _V) -> None:
        """Store a value as the newest one."""
        self.drop(key)
        self[key] = value
        self.bytes += self._size(key, value)
        while self.bytes > self._most:
            self.bytes -= self._size(*self.popitem(last=False))

    def drop(self, key: _K) -> None:
        """Remove a value if it exists."""
        if key in self:
            self.bytes -= self._size(key, self.pop(key))
