"""The SQLite database: connections for reads, the feed, readiness and writes."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import aiosqlite

from service.db import interface
from service.db.interface import ChangeMarker, ConstraintError, Row, validate_parameters
from service.db.reasons import primary_code, reason
from service.db.sqlite.sync import require_file, uri
from service.errors import DatabaseFailed, DatabaseUnavailable, Fault

_BUSY_TIMEOUT_SECONDS = interface.WAIT_SECONDS
_PASSING = {
    0,  # an error of the driver, or a timeout
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_SCHEMA,
}
"""Result codes after which the same statement may succeed."""
_CACHE_KIB = 65536  # at most: a hundred thousand users and their indexes


class Transaction(interface.Transaction):
    """A write transaction."""

    kind = "sqlite"

    def __init__(self, connection: aiosqlite.Connection) -> None:
        super().__init__()
        self._connection = connection

    async def fetch_all(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        """Run one statement and return its rows."""
        with self.failing_transaction(), _translated():
            return _dicts(
                await self._connection.execute_fetchall(sql, validate_parameters(parameters))
            )

    async def execute(self, sql: str, parameters: Sequence[object] = ()) -> int:
        """Run one statement and return the number of changed rows. Raises ConstraintError."""
        with self.failing_transaction(), _translated():
            async with self._connection.execute(sql, validate_parameters(parameters)) as cursor:
                return cursor.rowcount


class _File:
    """Detects whether the file at the path of the database was deleted or replaced."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._opened = self._identity()
        self._is_replaced = False

    def look(self) -> None:
        """Check whether the path still has the opened file, and remember the result."""
        self._is_replaced = self._identity() != self._opened

    def require(self) -> None:
        """Raise DatabaseUnavailable if the last check failed."""
        if self._is_replaced:
            raise DatabaseUnavailable from FileNotFoundError(f"{self._path} was replaced")

    def _identity(self) -> tuple[int, int] | None:
        """Return the device and inode of the file, None if there is no file."""
        try:
            facts = self._path.stat()
        except OSError:
            return None
        return facts.st_dev, facts.st_ino


class _Reader(interface.Reader):
    """A read-only connection. Concurrent reads wait for each other."""

    kind = "sqlite"

    def __init__(self, file: _File, connection: aiosqlite.Connection) -> None:
        self._file = file
        self._connection = connection

    async def fetch_all(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        """Read rows, within five seconds. Raises DatabaseUnavailable."""
        self._file.require()
        try:
            async with asyncio.timeout(interface.WAIT_SECONDS):
                return _dicts(
                    await self._connection.execute_fetchall(sql, validate_parameters(parameters))
                )
        except (sqlite3.DatabaseError, TimeoutError) as error:
            raise _unavailable(error) from error


class Database(interface.Database):
    """Three read connections, two of them for the feed and readiness, and one write connection."""

    kind = "sqlite"
    feed: _Reader
    health: _Reader

    def __init__(
        self,
        path: Path,
        *,
        reader: aiosqlite.Connection,
        feed: aiosqlite.Connection,
        health: aiosqlite.Connection,
        writer: aiosqlite.Connection,
    ) -> None:
        self._file = _File(path)
        self._reader = _Reader(self._file, reader)
        self.feed = _Reader(self._file, feed)
        self.health = _Reader(self._file, health)
        self._writer = writer
        self._lock = asyncio.Lock()

    async def fetch_all(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        """Read rows, within five seconds. Raises DatabaseUnavailable."""
        return await self._reader.fetch_all(sql, parameters)

    async def data_version(self, probe: str) -> ChangeMarker:  # noqa: ARG002  # SQLite has its own
        """Return SQLite's data_version, which changes when another connection writes.

        Also checks the file. If it was deleted or replaced, raises DatabaseUnavailable, as every
        later read does.
        """
        self._file.look()
        row = await self.feed.fetch_one("PRAGMA data_version")
        return ChangeMarker("", f"data={row['data_version'] if row else 0}")

    async def changed(self, seconds: float) -> None:
        """Wait `seconds`: SQLite has no notifications, and polling it is cheap."""
        await asyncio.sleep(seconds)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Open a write transaction. Raises DatabaseUnavailable, ConstraintError."""
        async with interface.write_lock(self._lock):
            self._file.look()
            self._file.require()
            try:
                with _translated():
                    await self._writer.execute_fetchall("BEGIN IMMEDIATE")
                transaction = Transaction(self._writer)
                yield transaction
                transaction.raise_if_failed()
                with _translated():
                    await asyncio.shield(self._writer.commit())
            except BaseException:
                # The driver's thread works in order, so this also rolls back a statement that was
                # still queued when the caller was cancelled.
                await asyncio.shield(self._writer.rollback())
                raise


@asynccontextmanager
async def connect(path: Path) -> AsyncIterator[Database]:
    """Open an existing database file. Raises Fault if it cannot be opened."""
    require_file(path)
    async with (
        _open(path) as writer,
        _open(path) as reader,
        _open(path) as feed,
        _open(path) as health,
    ):
        for each in (reader, feed, health):
            await each.execute_fetchall("PRAGMA query_only = ON")
        yield Database(path, reader=reader, feed=feed, health=health, writer=writer)


@asynccontextmanager
async def _open(path: Path) -> AsyncIterator[aiosqlite.Connection]:
    """Open a connection with `mode=rw`: a missing file is an error, not a new database."""
    connection = aiosqlite.connect(
        uri(path, "rw"), uri=True, isolation_level=None, timeout=_BUSY_TIMEOUT_SECONDS
    )
    try:
        opened = await connection
        await opened.execute_fetchall("PRAGMA foreign_keys = ON")
        await opened.execute_fetchall("PRAGMA synchronous = FULL")
        await opened.execute_fetchall(f"PRAGMA cache_size = -{_CACHE_KIB}")
        await opened.execute_fetchall("SELECT count(*) FROM sqlite_master")
    except BaseException as error:
        # Otherwise the driver's thread keeps the process alive, also after Ctrl-C.
        await connection.close()
        await asyncio.to_thread(connection._thread.join)  # noqa: SLF001  # survives a failed open
        if isinstance(error, sqlite3.Error):
            raise Fault(f"The database {path} cannot be opened: {reason(error, path)}.") from error
        raise
    opened.row_factory = sqlite3.Row
    try:
        yield opened
    finally:
        await opened.close()


def _dicts(rows: Iterable[sqlite3.Row]) -> list[Row]:
    return [dict(row) for row in rows]


@contextmanager
def _translated() -> Iterator[None]:
    """Translate the driver's errors into ConstraintError and DatabaseUnavailable."""
    try:
        yield
    except sqlite3.IntegrityError as error:
        raise ConstraintError(str(error)) from error
    except (sqlite3.DatabaseError, TimeoutError) as error:
        raise _unavailable(error) from error


def _unavailable(error: Exception) -> DatabaseUnavailable:
    """Return DatabaseFailed for an error that stays, such as a damaged or read-only file."""
    passes = primary_code(error) in _PASSING
    is_moved = getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_READONLY_DBMOVED
    return DatabaseUnavailable() if passes or is_moved else DatabaseFailed()
