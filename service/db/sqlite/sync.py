"""Blocking access to SQLite, for migrations and commands."""

import contextlib
import os
import sqlite3
import stat
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from service.db import casefold
from service.db.interface import WAIT_SECONDS, Row
from service.db.reasons import reason
from service.errors import Fault
from service.system import file_owner

_NO_FILE = (
    "The database {path} is not a regular file, or is a broken link. Set DATABASE_URL to the path"
    " of a file."
)

_BESIDE = ("-journal", "-wal", "-shm")
"""The endings of the files that SQLite keeps beside a database."""


def require_file(path: Path) -> None:
    """Raise Fault if a file of the database is something else: SQLite waits for a pipe for ever."""
    for each in (path, *(path.with_name(path.name + end) for end in _BESIDE)):
        with contextlib.suppress(OSError):  # opening it reports the error
            if not stat.S_ISREG(each.stat().st_mode):
                raise Fault(_NO_FILE.format(path=each))


def create_file(path: Path) -> None:
    """Create an empty database file, readable only by its owner, and its folder. Raises Fault.

    A link to an existing file is accepted, a broken link is not.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with file_owner.as_owner(path):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with contextlib.suppress(FileExistsError):
                os.close(os.open(path, flags, 0o600))
            if not path.is_file():
                raise Fault(_NO_FILE.format(path=path))
    except OSError as error:
        raise Fault(f"The database {path} cannot be created: {error.strerror}.") from error


def connect(path: Path) -> sqlite3.Connection:
    """Open an existing file for a migration, in WAL mode. Raises Fault."""
    require_file(path)
    try:
        with file_owner.as_owner(path):
            connection = sqlite3.connect(
                uri(path, "rw"),
                uri=True,
                isolation_level=None,
                timeout=WAIT_SECONDS,
            )
            _write_ahead(connection)
        connection.execute("PRAGMA synchronous = FULL")
        connection.create_function("fold", 1, casefold.casefold, deterministic=True)
    except (sqlite3.Error, OSError) as error:
        raise Fault(f"The database {path} cannot be opened: {reason(error, path)}.") from error
    return connection


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """Yield a driver connection. Its errors are raised as Fault."""
    with closing(connect(path)) as connection:
        try:
            yield connection
        except sqlite3.Error as error:
            raise Fault(f"The database {path} cannot be used: {reason(error, path)}.") from error


@contextmanager
def writing(path: Path) -> Iterator[sqlite3.Connection]:
    """Yield a connection in a transaction that blocks other writers. Raises Fault."""
    with opened(path) as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("BEGIN IMMEDIATE")
        with connection:
            yield connection


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Switch to WAL mode. Wait for locks, since SQLite does not wait for this statement."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def read(path: Path, sql: str, *, needs: str | None) -> list[Row]:
    """Read rows. Return none if the file or the table `needs` is missing."""
    try:
        with file_owner.as_owner(path):
            return _read(path, sql, needs) if path.exists() else []
    except (sqlite3.Error, OSError) as error:
        raise Fault(f"The database {path} cannot be read: {reason(error, path)}.") from error


def _read(path: Path, sql: str, needs: str | None) -> list[Row]:
    require_file(path)
    with closing(sqlite3.connect(uri(path, "ro"), uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master")]
        if needs is not None and needs not in names:
            return []
        return [dict(row) for row in connection.execute(sql)]


def uri(path: Path, mode: str) -> str:
    """Return the URI of a file for the driver. `mode` is ro or rw."""
    return f"{path.absolute().as_uri()}?mode={mode}"
