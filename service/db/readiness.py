"""Whether the database answers, on a connection that serves nothing else."""

import asyncio
import time
from collections.abc import Callable

from service import errors
from service.db import Reader

SHARED_SECONDS = 0.5
_PATIENCE_SECONDS = 2


class Readiness:
    """Asks the database once for all who ask at the same time, and at most twice a second."""

    def __init__(self, reader: Reader, ticks: Callable[[], float] = time.monotonic) -> None:
        self._reader = reader
        self._ticks = ticks
        self._well_at = -float("inf")
        self._asking: asyncio.Task[bool] | None = None

    async def is_well(self) -> bool:
        """Tell whether the database answers, or has done so within half a second."""
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
