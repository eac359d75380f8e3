"""Budgets: how much work of one kind is done at once, and how much of it in a second."""

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
    """Work of one kind, `at_once` pieces at the same time. Above `waiting` more are refused."""

    def __init__(self, *, at_once: int, waiting: int) -> None:
        self._free = asyncio.Semaphore(at_once)
        self._room = at_once + waiting

    async def __aenter__(self) -> None:
        """Wait for a turn. Raises Overloaded."""
        if self._room == 0:
            raise Overloaded
        self._room -= 1
        try:
            await self._free.acquire()
        except BaseException:
            self._room += 1
            raise

    async def __aexit__(self, *_: object) -> None:
        """Let the next one begin."""
        self._room += 1
        self._free.release()

    @asynccontextmanager
    async def unrefused(self) -> AsyncIterator[None]:
        """Wait for a turn, however many wait. For the process's own work, one task at a time."""
        async with self._free:
            yield


class Lane:
    """Does one piece of work after another, and rests `rest` times as long as each one took.

    So this work takes a fixed share of the process at most. Of those who wait there are `waiting`
    at most; others are refused.
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
        """Raise Overloaded if too many wait already."""
        if self._there >= self._most:
            raise Overloaded

    async def run(self, work: Callable[[], Awaitable[_T]]) -> _T:
        """Wait for a turn, do the work and return its result. Raises Overloaded."""
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
    """Lets work begin at `per_second` units, in the order in which it is asked for.

    `burst` units may begin at once. Who would wait longer than `patience` seconds is refused: after
    about that time, so that who asks again and again does not do so as fast as they can, and at
    once if there are more than `held` of them.
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
        """Tell whether work may begin without waiting, and take note of it if so."""
        now = self._ticks()
        start = max(self._next, now - self._burst_seconds)
        if start > now:
            return False
        self._next = start + units * self._seconds_per_unit
        return True

    async def turn(self, units: float = 1) -> None:
        """Wait until work of some units may begin. Raises Overloaded."""
        now = self._ticks()
        start = max(self._next, now - self._burst_seconds)
        if start - now > self._patience:
            await self.refuse()
        self._next = start + units * self._seconds_per_unit
        if start > now:
            await asyncio.sleep(start - now)

    async def refuse(self) -> NoReturn:
        """Raise Overloaded, after a while if there is room for those who wait."""
        if self._held < self._most_held:
            self._held += 1
            try:
                # Not all at the same moment, for they may have come at the same one.
                await asyncio.sleep(self._patience * random.uniform(0.5, 1.5))  # noqa: S311
            finally:
                self._held -= 1
        raise Overloaded
