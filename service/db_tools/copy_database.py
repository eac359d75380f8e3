"""Everything that one database keeps, copied to an empty one, whichever kinds they are."""

import hashlib
import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from service import db
from service.config import DatabaseUrl
from service.db_tools import migrations, schema_state
from service.errors import Fault

TABLES = {
    "users": ("id",),
    "roles": ("id",),
    "user_roles": ("user_id", "role_id"),
    "changes": ("seq",),
    "token_lifetimes": ("seconds",),
    "revocation_state": ("id",),
    "audit": ("id",),
    "identities": ("provider", "subject"),
    "provider_issuers": ("provider",),
    "provider_sessions": ("sid",),
    "logout_tokens": ("provider", "jti"),
    "used_answers": ("provider", "hash"),
    "provider_logouts": ("id",),
}
"""Every table with its primary key, in an order in which no row refers to a later one."""

AUTOINCREMENT = ("users", "roles", "changes", "audit", "provider_logouts")
"""The tables whose numbers are never given twice, though the row may be gone."""

_PAGE = 2_000

# By the mark of placeholders: `?` is SQLite's, `%s` that of PostgreSQL's driver.
_LAST = {
    "?": "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = '{table}'",
    "%s": "SELECT coalesce(pg_sequence_last_value("
    "pg_get_serial_sequence('{table}', '{key}')::regclass), 0)",
}
_GO_ON = {
    "?": (
        "DELETE FROM sqlite_sequence WHERE name = '{table}'",
        "INSERT INTO sqlite_sequence (name, seq) VALUES ('{table}', {number})",
    ),
    "%s": ("SELECT setval(pg_get_serial_sequence('{table}', '{key}'), {number})",),
}

Progress = Callable[[int], object]


@dataclass(frozen=True, slots=True)
class Copied:
    """What was copied of one table: how many rows, and the SHA-256 of all their values."""

    table: str
    rows: int
    sha256: str


class Endpoint:
    """One of the two databases, in a transaction that keeps all others from writing."""

    def __init__(self, where: DatabaseUrl, connection: Any) -> None:
        self._mark = "%s" if where.path is None else "?"
        self._connection = connection

    def columns(self, table: str) -> list[str]:
        """Return the names of a table's columns, sorted."""
        cursor = self._connection.execute(f"SELECT * FROM {table} LIMIT 0")  # noqa: S608  # TABLES
        return sorted(column[0] for column in cursor.description)

    def count(self, table: str) -> int:
        """Count the rows of a table."""
        return int(self._one(f"SELECT count(*) FROM {table}"))  # noqa: S608  # of TABLES

    def pages(self, table: str, columns: Sequence[str]) -> Iterator[list[tuple[Any, ...]]]:
        """Yield all rows in the order of their primary key, some at a time."""
        key = TABLES[table]
        names, marks = ", ".join(key), ", ".join([self._mark] * len(key))
        select = f"SELECT {', '.join(columns)} FROM {table}"  # noqa: S608  # of TABLES
        order = f"ORDER BY {names} LIMIT {_PAGE}"
        places = [columns.index(name) for name in key]
        rows = self._all(f"{select} {order}")
        while rows:
            yield rows
            after = tuple(rows[-1][place] for place in places)
            rows = self._all(f"{select} WHERE ({names}) > ({marks}) {order}", after)

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        """Insert rows as they are."""
        marks = ", ".join([self._mark] * len(columns))
        self._connection.cursor().executemany(
            f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})",  # noqa: S608  # of TABLES
            rows,
        )

    def last_number(self, table: str) -> int:
        """Return the highest number that a table has given to a row."""
        return int(self._one(_LAST[self._mark].format(table=table, key=TABLES[table][0])))

    def go_on_after(self, table: str, number: int) -> None:
        """Let the next row of a table have a higher number than this."""
        for statement in _GO_ON[self._mark]:
            key = TABLES[table][0]
            self._connection.execute(statement.format(table=table, key=key, number=number))

    def _one(self, sql: str) -> Any:
        return self._connection.execute(sql).fetchone()[0]

    def _all(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        return list(self._connection.execute(sql, values).fetchall())


def plan(source: DatabaseUrl, target: DatabaseUrl) -> list[Copied]:
    """Return what `copy` would copy. Raises Fault when it would not."""
    _require_different(source, target)
    schema_state.require_current(source)
    _require_empty(target)
    with db.writing_blocking(source) as reading:
        side = Endpoint(source, reading)
        return [_read(side, table, side.columns(table)) for table in TABLES]


def copy(
    source: DatabaseUrl, target: DatabaseUrl, progress: Progress = lambda _: None
) -> list[Copied]:
    """Copy everything, compare it, and keep it if it is the same; or change nothing.

    The target gets its tables. Nobody writes to either meanwhile. `progress` is told how many rows
    there are more, now and then. Raises Fault.
    """
    _require_different(source, target)
    schema_state.require_current(source)
    _require_empty(target)
    migrations.up(target)
    with db.writing_blocking(source) as reading, db.writing_blocking(target) as writing:
        here, there = Endpoint(source, reading), Endpoint(target, writing)
        for table in TABLES:
            _require_no_rows(target, table, there.count(table))
        copied = [_copy(here, there, table, progress) for table in TABLES]
        for each in copied:
            found = _read(there, each.table, here.columns(each.table))
            if found != each:
                raise Fault(f"{target}: {found} was written, {each} was read. Nothing was changed.")
        for table in AUTOINCREMENT:
            if number := here.last_number(table):
                there.go_on_after(table, number)
        return copied


def count(source: DatabaseUrl) -> int:
    """Return how many rows there are to copy. Raises Fault."""
    schema_state.require_current(source)
    with db.writing_blocking(source) as reading:
        side = Endpoint(source, reading)
        return sum(side.count(table) for table in TABLES)


def _copy(here: Endpoint, there: Endpoint, table: str, progress: Progress) -> Copied:
    columns = here.columns(table)
    if columns != there.columns(table):
        raise Fault(f"The table {table} has other columns there. Bring both to one version.")

    def passing() -> Iterator[list[tuple[Any, ...]]]:
        for rows in here.pages(table, columns):
            there.insert(table, columns, rows)
            progress(len(rows))
            yield rows

    return _summed(table, passing())


def _read(side: Endpoint, table: str, columns: list[str]) -> Copied:
    return _summed(table, side.pages(table, columns))


def _summed(table: str, pages: Iterator[list[tuple[Any, ...]]]) -> Copied:
    number, digest = 0, hashlib.sha256()
    for row in itertools.chain.from_iterable(pages):
        number += 1
        digest.update(json.dumps(row, default=repr).encode() + b"\n")
    return Copied(table, number, digest.hexdigest())


def _require_different(source: DatabaseUrl, target: DatabaseUrl) -> None:
    if source.url == target.url:
        raise Fault(f"{source} is named twice.")


def _require_empty(target: DatabaseUrl) -> None:
    """Look before anything is touched; what is not a database of ours has no such tables."""
    for table in TABLES:
        found = db.read_blocking(target, f"SELECT count(*) AS n FROM {table}", needs=table)  # noqa: S608  # of TABLES
        _require_no_rows(target, table, found[0]["n"] if found else 0)


def _require_no_rows(target: DatabaseUrl, table: str, number: int) -> None:
    if number:
        raise Fault(
            f"The database {target} is not empty: there are rows in {table} ({number}). Nothing was"
            " changed."
        )
