"""SQLite: one connection that reads and one that writes, on one file."""

import asyncio
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path

import aiosqlite

from service import folding
from service.db import contract
from service.db.contract import Conflict, Row, Version, checked
from service.errors import DatabaseUnavailable, Fault

_BUSY_TIMEOUT_SECONDS = contract.WAIT_SECONDS
_CACHE_KIB = 65536  # at most: a hundred thousand users and their indexes


class Transaction(contract.Transaction):
    """The writer, for as long as one transaction lasts."""

    kind = "sqlite"

    def __init__(self, connection: aiosqlite.Connection) -> None:
        super().__init__()
        self._connection = connection

    async def fetch_all(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        """Run one statement and return its rows."""
        with self.spoilt_by_errors(), _translated():
            return _dicts(await self._connection.execute_fetchall(sql, checked(parameters)))

    async def execute(self, sql: str, parameters: Sequence[object] = ()) -> int:
        """Run one statement and return how many rows it changed. Raises Conflict."""
        with self.spoilt_by_errors(), _translated():
            async with self._connection.execute(sql, checked(parameters)) as cursor:
                return cursor.rowcount


class Database(contract.Database):
    """One reader and one writer on a SQLite file."""

    kind = "sqlite"

    def __init__(
        self, path: Path, reader: aiosqlite.Connection, writer: aiosqlite.Connection
    ) -> None:
        self._path = path
        self._file = _identity(path)
        self._is_replaced = False
        self._reader = reader
        self._writer = writer
        self._lock = asyncio.Lock()

    async def fetch_all(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        """Read rows, within five seconds. Raises DatabaseUnavailable."""
        self._require_file()
        try:
            async with asyncio.timeout(contract.WAIT_SECONDS):
                return _dicts(await self._reader.execute_fetchall(sql, checked(parameters)))
        except (sqlite3.DatabaseError, TimeoutError) as error:
            raise DatabaseUnavailable from error

    async def data_version(self, probe: str) -> Version:  # noqa: ARG002  # SQLite has its own
        """Return a number that changes when anybody else has written (SQLite's data_version).

        Looks at the file, too: one that was deleted or replaced is not the database any more,
        though we still have it open. Raises DatabaseUnavailable, as every read does from then on.
        """
        self._look_at_file()
        row = await self.fetch_one("PRAGMA data_version")
        return Version("", int(row["data_version"]) if row else 0)

    async def changed(self, seconds: float) -> None:
        """Wait: nobody says that a file has changed, and asking it costs next to nothing."""
        await asyncio.sleep(seconds)

    def _look_at_file(self) -> None:
        self._is_replaced = _identity(self._path) != self._file

    def _require_file(self) -> None:
        if self._is_replaced:
            raise DatabaseUnavailable from FileNotFoundError(f"{self._path} was replaced")

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Write: all that is inside happens, or nothing. Raises DatabaseUnavailable, Conflict."""
        async with contract.in_turn(self._lock):
            self._look_at_file()
            self._require_file()
            try:
                with _translated():
                    await self._writer.execute_fetchall("BEGIN IMMEDIATE")
                transaction = Transaction(self._writer)
                yield transaction
                transaction.require_unspoilt()
                with _translated():
                    await asyncio.shield(self._writer.commit())
            except BaseException:
                # The driver's thread takes its work in order: this undoes even a BEGIN or a
                # statement that was still on its way when the caller was cancelled.
                await asyncio.shield(self._writer.rollback())
                raise


@asynccontextmanager
async def connect(path: Path) -> AsyncIterator[Database]:
    """Open an existing database file. Raises Fault when it cannot be opened."""
    async with _open(path) as writer, _open(path) as reader:
        await reader.execute_fetchall("PRAGMA query_only = ON")
        yield Database(path, reader, writer)


def create_file(path: Path) -> None:
    """Create an empty database file that only its owner can read, and its folder. Raises Fault."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise Fault(f"The database {path} cannot be created: {error.strerror}.") from error


def connect_blocking(path: Path) -> sqlite3.Connection:
    """Open an existing file for a migration, in write-ahead mode. Raises Fault."""
    try:
        connection = sqlite3.connect(
            _uri(path, "rw"),
            uri=True,
            isolation_level=None,
            timeout=_BUSY_TIMEOUT_SECONDS,
        )
        _write_ahead(connection)
        connection.execute("PRAGMA synchronous = FULL")
        connection.create_function("fold", 1, folding.fold, deterministic=True)
    except sqlite3.Error as error:
        raise Fault(f"The database {path} cannot be opened: {_why(error)}.") from error
    return connection


@contextmanager
def open_blocking(path: Path) -> Iterator[sqlite3.Connection]:
    """Yield a connection of the driver, whose errors are a Fault."""
    with closing(connect_blocking(path)) as connection:
        try:
            yield connection
        except sqlite3.Error as error:
            raise Fault(f"The database {path} cannot be used: {_why(error)}.") from error


@contextmanager
def writing_blocking(path: Path) -> Iterator[sqlite3.Connection]:
    """Yield a connection in one transaction, within which nobody else writes. Raises Fault."""
    with open_blocking(path) as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("BEGIN IMMEDIATE")
        with connection:
            yield connection


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Switch to write-ahead mode. SQLite does not wait for a lock here: we do."""
    deadline = time.monotonic() + _BUSY_TIMEOUT_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def read_blocking(path: Path, sql: str, *, needs: str) -> list[Row]:
    """Read rows before there is a loop; none if the file or the table `needs` is not there."""
    try:
        if not path.exists():
            return []
        with closing(sqlite3.connect(_uri(path, "ro"), uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            tables = connection.execute("SELECT name FROM sqlite_master WHERE name = ?", (needs,))
            return _dicts(connection.execute(sql)) if tables.fetchone() else []
    except (sqlite3.Error, OSError) as error:
        raise Fault(f"The database {path} cannot be read: {_why(error)}.") from error


@asynccontextmanager
async def _open(path: Path) -> AsyncIterator[aiosqlite.Connection]:
    """`mode=rw`: a missing file is an error, never a new and empty database."""
    connection = aiosqlite.connect(
        _uri(path, "rw"), uri=True, isolation_level=None, timeout=_BUSY_TIMEOUT_SECONDS
    )
    try:
        opened = await connection
        await opened.execute_fetchall("PRAGMA foreign_keys = ON")
        await opened.execute_fetchall("PRAGMA synchronous = FULL")
        await opened.execute_fetchall(f"PRAGMA cache_size = -{_CACHE_KIB}")
        await opened.execute_fetchall("SELECT count(*) FROM sqlite_master")
    except BaseException as error:
        # Its thread would keep the process from ending, also when Ctrl-C came in the middle.
        await connection.close()
        await asyncio.to_thread(connection._thread.join)  # noqa: SLF001  # it outlives a failed open
        if isinstance(error, sqlite3.Error):
            raise Fault(f"The database {path} cannot be opened: {_why(error)}.") from error
        raise
    opened.row_factory = sqlite3.Row
    try:
        yield opened
    finally:
        await opened.close()


def _dicts(rows: Iterable[sqlite3.Row]) -> list[Row]:
    return [dict(row) for row in rows]


def _identity(path: Path) -> tuple[int, int] | None:
    """Return what tells a file from another one that took its place; None if there is none."""
    try:
        facts = path.stat()
    except OSError:
        return None
    return facts.st_dev, facts.st_ino


def _why(error: Exception) -> str:
    """Say what the driver means: SQLite writes beside a file even if it is only read."""
    if getattr(error, "sqlite_errorname", "").startswith("SQLITE_READONLY"):
        return "its folder cannot be written to"
    return str(error)


def _uri(path: Path, mode: str) -> str:
    return f"{path.absolute().as_uri()}?mode={mode}"


@contextmanager
def _translated() -> Iterator[None]:
    """Turn the driver's errors into ours: forbidden by the data, or prevented by disk or lock."""
    try:
        yield
    except sqlite3.IntegrityError as error:
        raise Conflict(str(error)) from error
    except (sqlite3.DatabaseError, TimeoutError) as error:
        raise DatabaseUnavailable from error
