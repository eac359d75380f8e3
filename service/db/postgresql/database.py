"""The PostgreSQL database: connections for reads, the feed, readiness, writes and notifications."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

import psycopg

from service.config import DatabaseUrl as Where
from service.db import interface
from service.db.interface import (
    WRITERS,
    ChangeMarker,
    ConstraintError,
    Row,
    validate_parameters,
)
from service.db.postgresql import connect as pgconnect
from service.db.postgresql.connect import Connection
from service.db.postgresql.listener import Listener
from service.db.postgresql.placeholders import numbered
from service.db.postgresql.pool import Pool
from service.db.reasons import reason
from service.errors import DatabaseFailed, DatabaseUnavailable, Fault

READERS = 3

_PERMANENT = ("22", "3F", "42", "54", "XX001", "XX002")
"""SQLSTATE of errors that stay: data, missing schema, syntax and rights, limits, corruption."""

BEGIN = f"BEGIN; SELECT pg_advisory_xact_lock({WRITERS})".encode()


class Transaction(interface.Transaction):
    """A write transaction."""

    kind = "postgresql"

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self._connection = connection

    async def fetch_all(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        """Run one statement and return its rows."""
        return (await self._run(sql, parameters))[0]

    async def execute(self, sql: str, parameters: Sequence[object] = ()) -> int:
        """Run one statement and return the number of changed rows. Raises ConstraintError."""
        return (await self._run(sql, parameters))[1]

    async def _run(self, sql: str, parameters: Sequence[object]) -> tuple[list[Row], int]:
        with self.failing_transaction(), _translated():
            return await pgconnect.run(
                self._connection, numbered(sql), validate_parameters(parameters)
            )


class _Readers(interface.Reader):
    """A pool of read-only connections."""

    kind = "postgresql"

    def __init__(self, where: Where, size: int) -> None:
        self._size = size
        self.pool = Pool(lambda: pgconnect.connect(where, read_only=True), size)

    async def fetch_all(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        """Read rows, within five seconds. Raises DatabaseUnavailable."""
        query, values = numbered(sql), validate_parameters(parameters)
        with _translated():
            async with asyncio.timeout(interface.WAIT_SECONDS), AsyncExitStack() as stack:
                connection = await stack.enter_async_context(self.pool.lend())
                for _ in range(self._size):
                    try:
                        return (await pgconnect.run(connection, query, values))[0]
                    except psycopg.Error as error:
                        if not await _is_of_the_past(connection, error):
                            raise
                        await stack.aclose()
                        connection = await stack.enter_async_context(self.pool.lend())
                return (await pgconnect.run(connection, query, values))[0]


class Database(interface.Database):
    """Read connections, also for the feed and readiness, one write connection, one listener."""

    kind = "postgresql"
    feed: _Readers
    health: _Readers

    def __init__(self, where: Where) -> None:
        self._readers = _Readers(where, READERS)
        self.feed = _Readers(where, 1)
        self.health = _Readers(where, 1)
        self._writer = Pool(lambda: pgconnect.connect(where), 1)
        self._listener = Listener(lambda: pgconnect.connect(where, read_only=True))
        self._lock = asyncio.Lock()
        self._source: str | None = None

    async def fetch_all(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        """Read rows, within five seconds. Raises DatabaseUnavailable."""
        return await self._readers.fetch_all(sql, parameters)

    async def data_version(self, probe: str) -> ChangeMarker:
        """Return the parts that `probe` selects, with the server and place as the source.

        Raises DatabaseUnavailable, also if the server is a standby, which may be behind.
        """
        row = await self.feed.fetch_one(
            "SELECT pg_postmaster_start_time()::text || ' ' || place AS source, parts,"  # noqa: S608  # a constant
            f" pg_is_in_recovery() AS is_standby FROM ({probe}) AS probe"
        )
        if row is None or row["is_standby"]:
            for pool in self._reader_pools():
                await pool.discard()
            raise DatabaseUnavailable from ConnectionError("the server is a standby")
        if row["source"] != self._source:
            self._source = row["source"]
            self._listener.listen_anew()
        return ChangeMarker(row["source"], row["parts"])

    async def changed(self, seconds: float) -> None:
        """Wait for a notification, at most `seconds`."""
        await self._listener.wait(seconds)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Open a write transaction. Raises DatabaseUnavailable, ConstraintError."""
        async with interface.write_lock(self._lock), AsyncExitStack() as stack:
            with _translated():
                connection = await self._begin(stack)
            try:
                transaction = Transaction(connection)
                yield transaction
                transaction.raise_if_failed()
                with _translated():
                    await pgconnect.finish(connection, b"COMMIT")
            except DatabaseUnavailable:
                await connection.close()  # the server may be read-only now; reconnect next time
                raise
            except BaseException:
                with contextlib.suppress(psycopg.Error, TimeoutError):
                    await pgconnect.finish(connection, b"ROLLBACK")
                raise

    async def _begin(self, stack: AsyncExitStack) -> Connection:
        connection = await stack.enter_async_context(self._writer.lend())
        try:
            await pgconnect.run(connection, BEGIN)
        except psycopg.OperationalError as error:
            if not await _is_of_the_past(connection, error):
                raise
            await stack.aclose()
            connection = await stack.enter_async_context(self._writer.lend())
            await pgconnect.run(connection, BEGIN)
        return connection

    async def close(self) -> None:
        """Close every connection."""
        await self._listener.close()
        for pool in (*self._reader_pools(), self._writer):
            await pool.close()

    def _reader_pools(self) -> list[Pool]:
        return [readers.pool for readers in (self._readers, self.feed, self.health)]


@asynccontextmanager
async def connect(where: Where) -> AsyncIterator[Database]:
    """Open an existing database. Raises Fault if it cannot be opened."""
    try:
        connection = await pgconnect.connect(where, read_only=True)
    except (psycopg.Error, TimeoutError, OSError) as error:
        raise Fault(f"The database {where} cannot be opened: {reason(error)}.") from error
    database = Database(where)
    database.feed.pool.keep(connection)
    try:
        encoding = connection.pgconn.parameter_status(b"server_encoding")
        if encoding != b"UTF8":
            raise Fault(f"The database {where} has the encoding {encoding!a}. Create it with UTF8.")
        yield database
    finally:
        await database.close()


async def _is_of_the_past(connection: Connection, error: psycopg.Error) -> bool:
    """Return whether the connection was stale, so that another one may succeed."""
    if isinstance(error, psycopg.NotSupportedError):  # prepared before a migration
        await connection.close()
    return connection.closed


@contextmanager
def _translated() -> Iterator[None]:
    """Translate the driver's errors into ConstraintError and DatabaseUnavailable."""
    try:
        yield
    except psycopg.IntegrityError as error:
        raise ConstraintError(error.diag.message_primary) from error
    except psycopg.Error as error:
        is_permanent = (error.sqlstate or "").startswith(_PERMANENT)
        raise (DatabaseFailed if is_permanent else DatabaseUnavailable) from error
    except (OSError, TimeoutError) as error:
        raise DatabaseUnavailable from error
