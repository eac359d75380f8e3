"""Budgets: limits for concurrent work and for work per second."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import NoReturn, TypeVar

from service.errors import Overloaded

_T = TypeVar("_T")

_LONGEST_REST_SECONDS = 1.0


class Budget:
    """Limits concurrent work to `at_once`. Rejects work if more than `waiting` wait."""

    def __init__(self, *, at_once: int, waiting: int) -> None:
        self._free = asyncio.Semaphore(at_once)
        self._room = at_once + waiting

    async def __aenter__(self) -> None:
        """Wait for a free slot. Raises Overloaded."""
        if self._room == 0:
            raise Overloaded
        self._room -= 1
        try:
            await self._free.acquire()
        except BaseException:
            self._room += 1
            raise

    async def __aexit__(self, *_: object) -> None:
        """Free the slot."""
        self._room += 1
        self._free.release()

    @asynccontextmanager
    async def unrefused(self) -> AsyncIterator[None]:
        """Wait without a limit of callers. For the process's own work, one task at a time."""
        async with self._free:
            yield


class Lane:
    """Runs work one at a time, and pauses `rest` times as long as each took.

    This limits the work to a fixed share of the process. At most `waiting` callers wait; others are
    rejected.
    """

    def __init__(
        self, *, waiting: int, rest: float, ticks: Callable[[], float] = time.monotonic
    ) -> None:
        self._most = waiting + 1
        self._rest = rest
        self._ticks = ticks
        self._there = 0
        self._rested_at = -float("inf")
        self._turn = asyncio.Lock()

    def require_room(self) -> None:
        """Raise Overloaded if too many callers wait."""
        if self._there >= self._most:
            raise Overloaded

    async def run(self, work: Callable[[], Awaitable[_T]]) -> _T:
        """Wait, run the work and return its result. Raises Overloaded."""
        self.require_room()
        self._there += 1
        try:
            async with self._turn:
                await asyncio.sleep(max(0.0, self._rested_at - self._ticks()))
                began = self._ticks()
                try:
                    return await work()
                finally:
                    now = self._ticks()
                    self._rested_at = now + min(self._rest * (now - began), _LONGEST_REST_SECONDS)
        finally:
            self._there -= 1


class Pace:
    """Starts work at a rate of `per_second` units, in the order of the requests.

    `burst` units can start at once. Callers that would wait longer than `patience` seconds are
    rejected: after about that time, to slow down clients that retry, or at once if more than `held`
    callers wait for their rejection.
    """

    def __init__(
        self,
        per_second: float,
        *,
        burst: float,
        patience: float,
        held: int,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._seconds_per_unit = 1 / per_second
        self._burst_seconds = burst / per_second
        self._patience = patience
        self._most_held = held
        self._held = 0
        self._ticks = ticks
        self._next = -float("inf")

    def is_free(self, units: float = 1) -> bool:
        """Take units if work can start without waiting. Return whether it can."""
        now = self._ticks()
        start = max(self._next, now - self._burst_seconds)
        if start > now:
            return False
        self._next = start + units * self._seconds_per_unit
        return True

    @property
    def is_full(self) -> bool:
        """Whether new work is refused now."""
        return self._next - self._ticks() > self._patience

    def give_back(self, units: float) -> None:
        """Return units of work that was not done, for other work."""
        self._next -= units * self._seconds_per_unit

    async def turn(self, units: float = 1) -> None:
        """Wait until work of some units can start. Raises Overloaded."""
        now = self._ticks()
        start = max(self._next, now - self._burst_seconds)
        if start - now > self._patience:
            await self.refuse()
        self._next = start + units * self._seconds_per_unit
        if start > now:
            await asyncio.sleep(start - now)

    async def refuse(self) -> NoReturn:
        """Raise Overloaded, after a delay if there is room for delayed callers."""
        await self.hold()
        raise Overloaded

    async def hold(self, share: float = 1.0) -> None:
        """Wait for about `share` of the patience, if there is room for delayed callers."""
        if self._held < self._most_held:
            self._held += 1
            try:
                # With jitter, because many may have come at the same time.
                await asyncio.sleep(share * self._patience * random.uniform(0.5, 1.5))  # noqa: S311
            finally:
                self._held -= 1
