"""A memory of recent values that is bounded by bytes."""

from collections import OrderedDict
from collections.abc import Callable
from typing import TypeVar

_K = TypeVar("_K")
_V = TypeVar("_V")


class Bounded(OrderedDict[_K, _V]):
    """Values by key; above `most` bytes those that were put in first leave first.

    `size` returns the bytes that a key and its value take, and the same ones each time. Values go
    in by `put` and out by `drop` alone.
    """

    def __init__(self, most: int, size: Callable[[_K, _V], int]) -> None:
        super().__init__()
        self._most = most
        self._size = size
        self.bytes = 0

    def put(self, key: _K, value: _V) -> None:
        """Keep a value as the newest one."""
        self.drop(key)
        self[key] = value
        self.bytes += self._size(key, value)
        while self.bytes > self._most:
            self.bytes -= self._size(*self.popitem(last=False))

    def drop(self, key: _K) -> None:
        """Forget a value, if it is there."""
        if key in self:
            self.bytes -= self._size(key, self.pop(key))
