"""Connections to PostgreSQL: settings, time limits, and hanging up on a silent server."""

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
    "statement_timeout": "4500ms",  # before our own, which closes the connection
    "idle_in_transaction_session_timeout": "10s",  # a stopped process must not block writers
    "default_transaction_isolation": "read committed",  # see all commits before the lock
    "jit": "off",
}
_DEAD_PEERS = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}


class _Bool(Int8Dumper):
    """Stores a bool as 0 or 1, as SQLite does."""

    def dump(self, obj: Any) -> bytes:
        return b"1" if obj else b"0"


class Connection(AsyncConnection[Row]):
    """A connection. After `hang_up`, `is_hung_up` is True and it must not be used."""

    is_hung_up = False


def parameters(where: Where) -> dict[str, Any]:
    """Return the connection parameters in addition to the URL.

    Standbys may be behind, so they are excluded unless the URL has target_session_attrs=any.
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
    """Return the SET statements of every connection. PgBouncer rejects them as `options`."""
    values = {**_SETTINGS, "default_transaction_read_only": "on"} if read_only else _SETTINGS
    return "; ".join(f"SET {name} = '{value}'" for name, value in values.items()).encode()


async def connect(where: Where, *, read_only: bool = False) -> Connection:
    """Return a new connection. Raises psycopg.Error or TimeoutError.

    Each of several hosts has its own time limit, so a silent host does not block the next one.
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
    """Run a statement. Return its rows and the number of changed rows.

    Without `values`, `query` may contain several statements. On a timeout or a cancellation, hang
    up at once: the driver would send a cancel request and wait for a server that may hang.
    """
    return await _or_hang_up(connection, _execute(connection, query, values))


async def _execute(
    connection: Connection, query: bytes, values: Sequence[object] | None
) -> tuple[list[Row], int]:
    cursor = await connection.execute(query, values)
    rows = [] if cursor.description is None else await cursor.fetchall()
    return rows, cursor.rowcount


async def finish(connection: Connection, query: bytes) -> None:
    """Commit or roll back completely, even if the caller is cancelled."""
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
        await asyncio.wait({task})  # ends at once, since the connection is closed
        raise


def hang_up(connection: Connection) -> None:
    """Close a connection without a message to the server. Pending calls get an error."""
    if connection.closed:
        return
    connection.is_hung_up = True
    same = socket.socket(fileno=os.dup(connection.pgconn.socket))
    with contextlib.suppress(OSError), same:  # the server may have hung up, too
        same.shutdown(socket.SHUT_RDWR)


def _forget(task: asyncio.Future[Any]) -> None:
    if not task.cancelled():
        task.exception()
