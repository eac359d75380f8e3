"""The readiness check of the database, on its own connection."""

import asyncio
import time
from collections.abc import Callable

from service import errors
from service.db import Reader

SHARED_SECONDS = 0.5
_PATIENCE_SECONDS = 2


class Readiness:
    """Checks the database at most twice a second. Concurrent callers share a check."""

    def __init__(self, reader: Reader, ticks: Callable[[], float] = time.monotonic) -> None:
        self._reader = reader
        self._ticks = ticks
        self._well_at = -float("inf")
        self._asking: asyncio.Task[bool] | None = None

    async def is_well(self) -> bool:
        """Return whether the database responds, or has responded within half a second."""
        if self._ticks() - self._well_at < SHARED_SECONDS:
            return True
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
        return await asyncio.shield(self._asking)

    async def _ask(self) -> bool:
        began = self._ticks()
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await self._reader.fetch_one("SELECT id FROM users LIMIT 1")
        except (errors.DatabaseUnavailable, TimeoutError):
            return False
        self._well_at = began
        return True
