"""Checks of a server before it is used: its version, and a pooler in front of it."""

import contextlib
import os
import socket
import threading
from collections.abc import Iterator
from typing import Any

import psycopg

from service.config import DatabaseUrl as Where
from service.errors import Fault

_OLDEST = 13
_STATEMENTS = 3
_WAIT_SECONDS = 3.0
_PID = b"SELECT pg_backend_pid() AS pid"


def check(where: Where, connection: psycopg.Connection[Any], options: dict[str, Any]) -> None:
    """Raise Fault for a server that is too old, and for a pooler that shares its connections.

    `options` are those of `connection`, which is used before it has settings: in transaction mode
    they would stay on a connection that another client gets next. Raises psycopg.Error.
    """
    version = connection.info.server_version
    if version < _OLDEST * 10_000:
        raise Fault(
            f"Latchkey needs PostgreSQL {_OLDEST} or newer, but the server of {where} has"
            f" {version // 10_000}. Upgrade the server."
        )
    pid = _pid(connection)
    # A pooler has a number of its own for each client, which is none of a server process.
    if pid != connection.info.backend_pid and _is_shared(where, connection, pid, options):
        raise Fault(
            f"The database {where} is behind a pooler in transaction or statement mode, in which"
            " LISTEN and session settings do not work. Set pool_mode = session for it (PgBouncer),"
            " or connect to PostgreSQL directly."
        )


def _is_shared(
    where: Where, connection: psycopg.Connection[Any], pid: int, options: dict[str, Any]
) -> bool:
    """Return whether a pooler gives the server process of one client to another client.

    The other client is in a transaction while the first is asked again.
    """
    if any(_pid(connection) != pid for _ in range(_STATEMENTS)):
        return True
    with psycopg.connect(where.url, **options) as other, _hung_up_in_time(other) as is_late:
        try:
            other.execute("BEGIN")
            if _pid(other) == pid:
                return True
        except psycopg.OperationalError as error:
            if "pooling mode" in str(error):  # statement mode has no transactions
                return True
            if is_late.is_set():  # it waits for the one server process, which is not shared
                return False
            raise
        return _pid(connection) != pid


@contextlib.contextmanager
def _hung_up_in_time(connection: psycopg.Connection[Any]) -> Iterator[threading.Event]:
    """Close a connection that waits for too long; yield whether that has happened."""
    is_late = threading.Event()

    def hang_up() -> None:
        is_late.set()
        same = socket.socket(fileno=os.dup(connection.pgconn.socket))
        with contextlib.suppress(OSError), same:
            same.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(_WAIT_SECONDS, hang_up)
    timer.start()
    try:
        yield is_late
    finally:
        timer.cancel()
        timer.join()


def _pid(connection: psycopg.Connection[Any]) -> int:
    row = connection.execute(_PID).fetchone()
    return int(row["pid"]) if row else 0
