"""Logouts that fit no session yet, and that no row says: their sessions may be just beginning."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

from service.errors import DatabaseUnavailable, Overloaded
from service.telemetry import logs

AT_MOST = 50_000
"""More than a process can be asked about in the time below."""
SECONDS = 20.0
"""Longer than an answer of a provider (10 s) and then the writer (5 s) are waited for."""
INTERVAL_SECONDS = 2.0
_TOGETHER = 500
_LOGGED_SECONDS = 60.0

Find = Callable[[Sequence[str]], Awaitable[set[str]]]
End = Callable[[str], Awaitable[None]]


class DeferredLogouts:
    """The handles whose sessions are looked for again, every two seconds for 20 s.

    Anybody can send a logout for any handle, so it costs no writer until a session has been found.
    `ticks` are seconds that nobody sets back.
    """

    def __init__(self, ticks: Callable[[], float] = time.monotonic) -> None:
        self._ticks = ticks
        self._until: dict[str, float] = {}
        self._logged_at = -float("inf")

    def __len__(self) -> int:
        """How many wait."""
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
        """Look for the sessions, without end.

        `find` gets up to 500 handles and returns those that have a session, `end` ends that of one.
        """
        while True:
            await asyncio.sleep(INTERVAL_SECONDS)
            try:
                await self.look(find, end)
            except DatabaseUnavailable:
                continue  # all are looked for again
            except Exception as error:  # noqa: BLE001  # whatever it is, the next ones are due
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
