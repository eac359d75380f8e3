"""LISTEN: notifications about new rows in the feed. A lost one only delays until the next poll."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import psycopg

from service.db.postgresql.connect import Connection, hang_up

CHANNEL = "latchkey_changes"
_AGAIN_SECONDS = 1.0
_GATHER_SECONDS = 0.02
"""The time to wait for more changes, so that they are read together."""


class Listener:
    """A connection that receives notifications, opened at the first `wait`."""

    def __init__(self, connect: Callable[[], Awaitable[Connection]]) -> None:
        self._connect = connect
        self._heard = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._connection: Connection | None = None

    async def wait(self, seconds: float) -> None:
        """Wait for a notification, at most `seconds`."""
        if self._task is None:
            self._task = asyncio.create_task(self._listen())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._heard.wait()
                await asyncio.sleep(_GATHER_SECONDS)
        self._heard.clear()

    def listen_anew(self) -> None:
        """Reconnect, because the database may have moved."""
        if self._connection is not None:
            hang_up(self._connection)

    async def close(self) -> None:
        """Stop listening."""
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
                    self._heard.set()  # notifications before LISTEN were missed
                    async for _ in connection.notifies():
                        self._heard.set()
            self._connection = None
            await asyncio.sleep(_AGAIN_SECONDS)
