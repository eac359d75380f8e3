"""Logouts without a session and without a row: their sessions may be just beginning."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

from service.errors import DatabaseUnavailable, Overloaded
from service.telemetry import logs

AT_MOST = 50_000
"""More than a process can receive in the time below."""
SECONDS = 20.0
"""Longer than the timeouts of a provider's answer (10 s) and of the writer (5 s) together."""
INTERVAL_SECONDS = 2.0
_TOGETHER = 500
_LOGGED_SECONDS = 60.0

Find = Callable[[Sequence[str]], Awaitable[set[str]]]
End = Callable[[str], Awaitable[None]]


class DeferredLogouts:
    """The handles whose sessions are looked for again, every two seconds for 20 s.

    Any client can send a logout for any handle, so one takes the writer only if a session is found.
    `ticks` is a clock in seconds that never goes back.
    """

    def __init__(self, ticks: Callable[[], float] = time.monotonic) -> None:
        self._ticks = ticks
        self._until: dict[str, float] = {}
        self._logged_at = -float("inf")

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._until)

    def add(self, handle: str) -> None:
        """Look for the session of a handle again later. Raises Overloaded if too many wait."""
        now = self._ticks()
        is_full = handle not in self._until and len(self._until) >= AT_MOST
        if now - self._logged_at >= _LOGGED_SECONDS:
            self._logged_at = now
            logs.event(
                "logouts_refused" if is_full else "logouts_deferred",
                level=logs.WARNING,
                waiting=len(self._until),
            )
        if is_full:
            raise Overloaded
        self._until.setdefault(handle, now + SECONDS)

    async def run(self, find: Find, end: End) -> None:
        """Look for the sessions until cancelled.

        `find` gets up to 500 handles and returns those that have a session, `end` ends that of one.
        """
        while True:
            await asyncio.sleep(INTERVAL_SECONDS)
            try:
                await self.look(find, end)
            except DatabaseUnavailable:
                continue  # all stay in memory
            except Exception as error:  # noqa: BLE001  # the next ones are due
                logs.unexpected(error)

    async def look(self, find: Find, end: End) -> None:
        """Look once for all sessions. Raises DatabaseUnavailable."""
        began, waiting = self._ticks(), list(self._until)
        for first in range(0, len(waiting), _TOGETHER):
            handles = waiting[first : first + _TOGETHER]
            for handle in await find(handles):
                await end(handle)
                self._until.pop(handle, None)
            for handle in handles:
                if self._until.get(handle, began) < began:
                    del self._until[handle]
