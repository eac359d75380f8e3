"""A connection to PostgreSQL, made as all of ours are made, and left when it does not answer."""

import asyncio
import contextlib
import os
import socket
from collections.abc import Awaitable, Sequence
from typing import Any, TypeVar

from psycopg import AsyncConnection, AsyncRawCursor
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row
from psycopg.types.numeric import Int8Dumper

from service.config import DatabaseUrl as Where
from service.db.interface import WAIT_SECONDS, Row

_T = TypeVar("_T")

_HOST_SECONDS = 2  # the driver's smallest
_ROLE = "target_session_attrs"
_SETTINGS = {
    "statement_timeout": "4500ms",  # before ours, which costs the connection
    "idle_in_transaction_session_timeout": "10s",  # a stopped process keeps nobody from writing
    "default_transaction_isolation": "read committed",  # see what was there when the lock was got
    "jit": "off",
}
_DEAD_PEERS = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}


class _Bool(Int8Dumper):
    """Keeps a bool as 0 or 1, as SQLite does."""

    def dump(self, obj: Any) -> bytes:
        return b"1" if obj else b"0"


class Connection(AsyncConnection[Row]):
    """A connection that may have been left without a word: then it is of no use any more."""

    is_hung_up = False


def parameters(where: Where) -> dict[str, Any]:
    """Return what all our connections are made with, besides the address.

    A standby may be behind: unless the address says `any`, none is connected to.
    """
    given = conninfo_to_dict(where.url)
    return {
        **({} if _ROLE in given else {_ROLE: "primary"}),
        "autocommit": True,
        "row_factory": dict_row,
        "client_encoding": "UTF8",
        "connect_timeout": _HOST_SECONDS,
        "fallback_application_name": "latchkey",
        **_DEAD_PEERS,
    }


def settings(*, read_only: bool = False) -> bytes:
    """Return what every connection is told first. PgBouncer refuses it as `options`."""
    told = {**_SETTINGS, "default_transaction_read_only": "on"} if read_only else _SETTINGS
    return "; ".join(f"SET {name} = '{value}'" for name, value in told.items()).encode()


async def connect(where: Where, *, read_only: bool = False) -> Connection:
    """Return a new connection, or raise psycopg.Error or TimeoutError.

    Of several hosts each has its time, so that one that is silent does not hide the next.
    """
    hosts = str(conninfo_to_dict(where.url).get("host", "")).count(",") + 1
    async with asyncio.timeout(hosts * _HOST_SECONDS + 1):
        connection = await Connection.connect(
            where.url, cursor_factory=AsyncRawCursor, **parameters(where)
        )
        try:
            await run(connection, settings(read_only=read_only))
        except BaseException:
            await connection.close()
            raise
    # One size for all integers: a statement is prepared once, whatever the numbers are.
    connection.adapters.register_dumper(int, Int8Dumper)
    connection.adapters.register_dumper(bool, _Bool)
    return connection


async def run(
    connection: Connection, query: bytes, values: Sequence[object] | None = None
) -> tuple[list[Row], int]:
    """Run a statement; return its rows, and how many it changed. Without `values` it may be many.

    Past the deadline, or when the caller is cancelled, the connection is left at once: the driver
    would ask the server to stop, and wait for an answer that a hanging server does not give.
    """
    return await _or_hang_up(connection, _execute(connection, query, values))


async def _execute(
    connection: Connection, query: bytes, values: Sequence[object] | None
) -> tuple[list[Row], int]:
    cursor = await connection.execute(query, values)
    rows = [] if cursor.description is None else await cursor.fetchall()
    return rows, cursor.rowcount


async def finish(connection: Connection, query: bytes) -> None:
    """Commit or roll back, to the end even if the caller is cancelled meanwhile."""
    task = asyncio.create_task(run(connection, query))
    task.add_done_callback(_forget)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise


async def _or_hang_up(connection: Connection, work: Awaitable[_T]) -> _T:
    task = asyncio.ensure_future(work)
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            return await asyncio.shield(task)
    except (TimeoutError, asyncio.CancelledError):
        hang_up(connection)
        task.add_done_callback(_forget)
        await asyncio.wait({task})  # ends at once: nothing can come any more
        raise


def hang_up(connection: Connection) -> None:
    """End a connection without a word to the server; whoever waits on it gets an error."""
    if connection.closed:
        return
    connection.is_hung_up = True
    same = socket.socket(fileno=os.dup(connection.pgconn.socket))
    with contextlib.suppress(OSError), same:  # the server may have hung up, too
        same.shutdown(socket.SHUT_RDWR)


def _forget(task: asyncio.Future[Any]) -> None:
    if not task.cancelled():
        task.exception()
