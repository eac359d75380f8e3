"""LISTEN: PostgreSQL wakes whoever follows the feed. A notification that is lost costs a poll."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import psycopg

from service.db.postgresql.connect import Connection, hang_up

CHANNEL = "latchkey_changes"
_AGAIN_SECONDS = 1.0
_GATHER_SECONDS = 0.02
"""Many changes in a short while are read together."""


class Listener:
    """One connection that hears of changes, made when somebody first waits for one."""

    def __init__(self, connect: Callable[[], Awaitable[Connection]]) -> None:
        self._connect = connect
        self._heard = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._connection: Connection | None = None

    async def wait(self, seconds: float) -> None:
        """Wait until something is heard, but no longer than `seconds`."""
        if self._task is None:
            self._task = asyncio.create_task(self._listen())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._heard.wait()
                await asyncio.sleep(_GATHER_SECONDS)
        self._heard.clear()

    def listen_anew(self) -> None:
        """Leave the connection for a new one: the database may have moved."""
        if self._connection is not None:
            hang_up(self._connection)

    async def close(self) -> None:
        """Listen no longer."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _listen(self) -> None:
        while True:
            with contextlib.suppress(psycopg.Error, TimeoutError, OSError):
                async with await self._connect() as connection:
                    self._connection = connection
                    await connection.execute(f"LISTEN {CHANNEL}".encode())
                    self._heard.set()  # what was said before nobody has heard
                    async for _ in connection.notifies():
                        self._heard.set()
            self._connection = None
            await asyncio.sleep(_AGAIN_SECONDS)
