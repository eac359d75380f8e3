"""A small connection pool for PostgreSQL.

A caller gets an idle connection, opens a new one, or gets an error at once. There are no retries
in the background, so the first caller after an outage is served (decision 18).
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from psycopg.pq import TransactionStatus

from service.db.postgresql.connect import Connection

_LIFETIME_SECONDS = 1800  # so that connections follow a changed DNS entry
_IDLE_SECONDS = 60


class Pool:
    """At most `size` connections, opened by `connect` when they are needed."""

    def __init__(self, connect: Callable[[], Coroutine[Any, Any, Connection]], size: int) -> None:
        self._connect = connect
        self._free = asyncio.Semaphore(size)
        self._idle: deque[tuple[Connection, float, float]] = deque()
        self._unwaited: list[asyncio.Task[Connection]] = []
        self._is_closed = False

    @asynccontextmanager
    async def lend(self) -> AsyncIterator[Connection]:
        """Lend a connection. Close it afterwards if it is broken or in a transaction."""
        async with self._free:
            connection, made_at = await self._take()
            try:
                yield connection
            finally:
                is_idle = connection.pgconn.transaction_status == TransactionStatus.IDLE
                if is_idle and not connection.is_hung_up and not self._is_closed:
                    self._idle.append((connection, made_at, time.monotonic()))
                else:
                    await connection.close()

    def keep(self, connection: Connection) -> None:
        """Add a new connection that is in no transaction."""
        now = time.monotonic()
        self._idle.append((connection, now, now))

    async def close(self) -> None:
        """Close all idle connections. Lent connections are closed when they are returned."""
        self._is_closed = True
        await self.discard()

    async def discard(self) -> None:
        """Close all idle connections."""
        if unwaited := set(self._unwaited):
            for task in unwaited:
                task.cancel()
            await asyncio.wait(unwaited)  # connections that were opened meanwhile are idle now
        while self._idle:
            connection, _, _ = self._idle.pop()
            with contextlib.suppress(Exception):
                await connection.close()

    async def _take(self) -> tuple[Connection, float]:
        """Return the connection that was used last, so that the others can expire."""
        now = time.monotonic()
        while self._idle and self._idle[0][2] < now - _IDLE_SECONDS:
            await self._idle.popleft()[0].close()
        while self._idle:
            connection, made_at, _ = self._idle.pop()
            if made_at > now - _LIFETIME_SECONDS:
                return connection, made_at
            await connection.close()
        return await self._made(), now

    async def _made(self) -> Connection:
        """Open a connection. If the caller is cancelled, keep it for the next caller."""
        task = self._unwaited.pop() if self._unwaited else asyncio.create_task(self._connect())
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            self._unwaited.append(task)
            task.add_done_callback(self._keep_made)
            raise

    def _keep_made(self, task: asyncio.Task[Connection]) -> None:
        if task in self._unwaited:
            self._unwaited.remove(task)
            if not task.cancelled() and task.exception() is None:
                self.keep(task.result())
