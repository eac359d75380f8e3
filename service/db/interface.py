"""The interface of a database, the same for SQLite and PostgreSQL."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Any, ClassVar, Literal, NamedTuple

from service.config import DatabaseUrl
from service.db.reasons import reason
from service.errors import DatabaseFailed, DatabaseUnavailable, Fault

Row = dict[str, Any]
Kind = Literal["sqlite", "postgresql"]

NOW: dict[Kind, str] = {
    "sqlite": "CAST(strftime('%s', 'now') AS INTEGER)",
    "postgresql": "CAST(extract(epoch FROM clock_timestamp()) AS BIGINT)",
}
"""The database's clock in SQL, in seconds since 1970, by the kind of database."""

WAIT_SECONDS = 5
"""The time limit of a statement, and of waiting for another writer."""

WRITERS = 0x4C61746368
"""The PostgreSQL advisory lock that each writer holds until its commit is visible.

It serializes the writers of all processes, as in SQLite. So what a transaction has read stays true
until its commit, and row numbers become visible in ascending order.
"""

_SMALLEST, _LARGEST = -(2**63), 2**63 - 1


class ConstraintError(Exception):
    """A write violates a constraint: the value is not unique, or the referenced row is missing."""


class ChangeMarker(NamedTuple):
    """A change counter. A new `source` means a restart or a failover: reread everything.

    `parts` are named numbers, such as `seq=7 disputes=0`. They are not added up, because after a
    restore one may be lower and another higher.
    """

    source: str
    parts: str

    def is_later_than(self, before: "ChangeMarker | None") -> bool:
        """Return whether rows were only added since `before`: no part is lower or missing."""
        if before is None or self.source != before.source or self == before:
            return False
        now = _numbers(self.parts)
        return all(number <= now.get(name, -1) for name, number in _numbers(before.parts).items())


def _numbers(parts: str) -> dict[str, int]:
    pairs = (part.split("=") for part in parts.split())
    return {name: int(number) for name, number in pairs}


class Reader(ABC):
    """Runs statements. Placeholders are `?`. Values are strings, 64-bit integers and None.

    A bool is stored as 0 or 1. Raises DatabaseUnavailable (its subclass DatabaseFailed, if another
    attempt would fail as well), and ValueError for other values, such as
    strings with NUL.
    """

    kind: ClassVar[Kind]

    @abstractmethod
    async def fetch_all(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        """Run one statement and return its rows."""

    async def fetch_one(self, sql: str, parameters: Sequence[object] = ()) -> Row | None:
        """Run one statement and return its first row, or None."""
        rows = await self.fetch_all(sql, parameters)
        return rows[0] if rows else None


class Transaction(Reader):
    """A write transaction. There is one at a time.

    After a statement fails, all further statements fail, and nothing is committed. `events`
    are the rows of the revocation feed that it has written, to apply after the commit; `entries`
    are those of the audit, to log then.
    """

    def __init__(self) -> None:
        self.events: list[Row] = []
        self.entries: list[Row] = []
        self.failure: ConstraintError | DatabaseUnavailable | None = None

    @abstractmethod
    async def execute(self, sql: str, parameters: Sequence[object] = ()) -> int:
        """Run one statement and return the number of changed rows. Raises ConstraintError."""

    def raise_if_failed(self) -> None:
        """Raise the error of the statement that failed, if one did."""
        if self.failure is not None:
            raise self.failure

    @contextmanager
    def failing_transaction(self) -> Iterator[None]:
        """Run a statement: raise if an earlier one failed, and record if this one fails."""
        self.raise_if_failed()
        try:
            yield
        except (ConstraintError, DatabaseUnavailable) as error:
            self.failure = error
            raise


class Database(Reader):
    """An open database. Reads outside a transaction see committed rows, and time out after 5 s.

    `feed` and `health` are readers with their own connections, so that the revocation feed and the
    readiness check do not wait for other reads.
    """

    feed: Reader
    health: Reader

    @abstractmethod
    async def data_version(self, probe: str) -> ChangeMarker:
        """Return a marker that changes when a process writes what `probe` reads.

        `probe` selects two strings: `place`, where the rows are stored, and the `parts` of the
        marker. Databases with a cheaper way ignore it.
        """

    @abstractmethod
    async def changed(self, seconds: float) -> None:
        """Wait for a notification about new rows in the feed, at most `seconds`."""

    @abstractmethod
    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """Open a write transaction. Raises DatabaseUnavailable, ConstraintError.

        Transactions wait for each other, also across processes.
        """


@asynccontextmanager
async def write_lock(lock: asyncio.Lock) -> AsyncIterator[None]:
    """Hold the write lock. Raises DatabaseUnavailable if it is not free in time."""
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            await lock.acquire()
    except TimeoutError as error:
        raise DatabaseUnavailable from error
    try:
        yield
    finally:
        lock.release()


def validate_parameters(parameters: Sequence[object]) -> Sequence[object]:
    """Return the parameters. Raises ValueError for a value that a database cannot store."""
    for value in parameters:
        kind = type(value)
        if kind is str:
            if "\0" in value:  # type: ignore[operator]
                raise ValueError("a string with NUL")
        elif kind is int and not _SMALLEST <= value <= _LARGEST:  # type: ignore[operator]
            raise ValueError("an integer of more than 64 bits")
    return parameters


@contextmanager
def fault_on_unavailable(where: DatabaseUrl) -> Iterator[None]:
    """Raise Fault with the reason instead of DatabaseUnavailable, for commands and the start."""
    try:
        yield
    except DatabaseUnavailable as error:
        why = reason(error.__cause__ or error, where.path)
        what = "cannot be used" if isinstance(error, DatabaseFailed) else "is not responding"
        raise Fault(f"The database {where} {what}: {why}.") from error
