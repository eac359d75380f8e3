"""Blocking connections to PostgreSQL, for migrations and commands."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.rows import tuple_row

from service.config import DatabaseUrl as Where
from service.db.interface import WRITERS, Row
from service.db.postgresql import connect as pgconnect
from service.db.postgresql import server_check
from service.db.reasons import reason
from service.errors import Fault

LOCK_SECONDS = 30.0
"""How long a migration waits for writers and for other migrations."""


def connect(where: Where) -> psycopg.Connection[Any]:
    """Return a connection for a migration, without a statement timeout. Raises Fault."""
    with _fault(where, "opened"):
        connection: psycopg.Connection[Any] = _open(where)
        connection.row_factory = tuple_row
        encoding = connection.info.parameter_status("server_encoding")
        if encoding != "UTF8":
            connection.close()
            raise Fault(f"The database {where} has the encoding {encoding}. Create it with UTF8.")
        connection.execute("SET statement_timeout = 0")
        connection.execute(f"SET lock_timeout = {int(LOCK_SECONDS * 1000)}".encode())
        connection.execute("SET idle_in_transaction_session_timeout = 0")
    return connection


@contextmanager
def opened(where: Where) -> Iterator[psycopg.Connection[Any]]:
    """Yield a connection from `connect`. Its errors are raised as Fault."""
    with connect(where) as connection, _fault(where, "used"):
        yield connection


@contextmanager
def writing(where: Where) -> Iterator[psycopg.Connection[Any]]:
    """Yield a connection in a transaction that blocks other writers. Raises Fault."""
    with opened(where) as connection, connection.transaction():
        connection.execute(f"SELECT pg_advisory_xact_lock({WRITERS})".encode())
        yield connection


def read(where: Where, sql: str, *, needs: str | None) -> list[Row]:
    """Read rows. Return none if the table `needs` is missing. Raises Fault."""
    with _fault(where, "read"), _open(where) as connection:
        if needs is not None:
            found = connection.execute("SELECT to_regclass(%s) AS it", (needs,)).fetchone()
            if found is None or found["it"] is None:
                return []
        return connection.execute(sql.encode()).fetchall()


def _open(where: Where) -> psycopg.Connection[Row]:
    options: Any = pgconnect.parameters(where)
    connection: psycopg.Connection[Row] = psycopg.connect(where.url, **options)
    try:
        server_check.check(where, connection, options)
        connection.execute(pgconnect.settings())
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def _fault(where: Where, what: str) -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        raise Fault(f"The database {where} cannot be {what}: {reason(error)}.") from error
