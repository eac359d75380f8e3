"""What a database can be asked, whichever it is: the same verbs, the same answers."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Any, ClassVar, Literal, NamedTuple

from service.errors import DatabaseUnavailable, Fault

Row = dict[str, Any]
Kind = Literal["sqlite", "postgresql"]

WAIT_SECONDS = 5
"""How long a statement may take, and how long a writer waits for the one before."""

WRITERS = 0x4C61746368
"""The advisory lock of PostgreSQL that whoever writes holds until the commit is seen by all.

So writers of all processes come one after another, as with SQLite: what a transaction has read
stays true until it has written, and numbers of rows become visible in the order of drawing.
"""

_SMALLEST, _LARGEST = -(2**63), 2**63 - 1


class ConstraintError(Exception):
    """A write met a constraint: the name is taken, or what it refers to is not there."""


class ChangeMarker(NamedTuple):
    """What has been written so far. Of another `source` nothing that was read before is sure.

    `parts` are numbers with their names, as `seq=7 disputes=0`: never one sum, in which one that
    fell with a restore is made up for by another one that rose.
    """

    source: str
    parts: str

    def is_later_than(self, before: "ChangeMarker | None") -> bool:
        """Tell whether all that was known before is still so: no part fell, and none is gone."""
        if before is None or self.source != before.source or self == before:
            return False
        now = _numbers(self.parts)
        return all(number <= now.get(name, -1) for name, number in _numbers(before.parts).items())


def _numbers(parts: str) -> dict[str, int]:
    pairs = (part.split("=") for part in parts.split())
    return {name: int(number) for name, number in pairs}


class Reader(ABC):
    """Runs statements. Their placeholders are `?`; values are texts, integers of 64 bits, None.

    A bool is kept as 0 or 1. Raises DatabaseUnavailable, and ValueError for a value that is none of
    these, such as a text with NUL.
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
    """The writer, for as long as one transaction lasts; nobody else writes meanwhile.

    A statement that fails spoils it: there are no more statements, and nothing remains. `events`
    are the rows of the revocation feed that it has written, to apply after the commit; `entries`
    are those of the audit, to log then.
    """

    def __init__(self) -> None:
        self.events: list[Row] = []
        self.entries: list[Row] = []
        self.failure: ConstraintError | DatabaseUnavailable | None = None

    @abstractmethod
    async def execute(self, sql: str, parameters: Sequence[object] = ()) -> int:
        """Run one statement and return how many rows it changed. Raises Conflict."""

    def raise_if_failed(self) -> None:
        """Raise the error again that a statement of this transaction has met."""
        if self.failure is not None:
            raise self.failure

    @contextmanager
    def failing_transaction(self) -> Iterator[None]:
        """Refuse a statement after one that failed, and remember if this one does."""
        self.raise_if_failed()
        try:
            yield
        except (ConstraintError, DatabaseUnavailable) as error:
            self.failure = error
            raise


class Database(Reader):
    """An open database. Outside a transaction all reads are committed, and within five seconds.

    `feed` reads too, on a connection of its own: who follows the feed waits for nobody else. So
    does `health`, for the question whether the database answers.
    """

    feed: Reader
    health: Reader

    @abstractmethod
    async def data_version(self, probe: str) -> ChangeMarker:
        """Return what changes when anybody has written what `probe` reads.

        `probe` selects two texts: `place`, where the rows are kept, and the `parts` of the
        version. It is for databases that have nothing cheaper.
        """

    @abstractmethod
    async def changed(self, seconds: float) -> None:
        """Wait until somebody says that the feed has grown, but no longer than `seconds`."""

    @abstractmethod
    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """Write: all that is inside happens, or nothing. Raises DatabaseUnavailable, Conflict.

        Transactions wait for each other, those of other processes too.
        """


@asynccontextmanager
async def write_lock(lock: asyncio.Lock) -> AsyncIterator[None]:
    """Wait for one's turn to write, but not for ever. Raises DatabaseUnavailable."""
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
    """Return values that every database keeps as they are. Raises ValueError."""
    for value in parameters:
        kind = type(value)
        if kind is str:
            if "\0" in value:  # type: ignore[operator]
                raise ValueError("a text with NUL")
        elif kind is int and not _SMALLEST <= value <= _LARGEST:  # type: ignore[operator]
            raise ValueError("an integer of more than 64 bits")
    return parameters


@contextmanager
def fault_on_unavailable(where: object) -> Iterator[None]:
    """Turn a database that does not answer into a Fault that says why, before anybody is served."""
    try:
        yield
    except DatabaseUnavailable as error:
        why = reason(error.__cause__ or error)
        raise Fault(f"The database {where} does not answer: {why}.") from error


def reason(error: BaseException) -> str:
    """Return what a person needs to know of an error, in one line; it holds no password."""
    if isinstance(error, TimeoutError):
        return "no answer"
    return "; ".join(line.strip() for line in str(error).splitlines()).rstrip(".")
