"""Copy all data of a database to an empty one, of the same or the other kind."""

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
    "passwords": ("user_id",),
    "attempt_limits": ("kind", "subject"),
    "totp": ("user_id",),
    "totp_setups": ("user_id",),
    "recovery_codes": ("user_id", "hash"),
    "links": ("id",),
    "link_roles": ("link_id", "role_id"),
    "passkeys": ("id",),
    "used_challenges": ("hash",),
}
"""All tables with their primary keys, in an order in which no row refers to a later table."""

AUTOINCREMENT = ("users", "roles", "changes", "audit", "provider_logouts", "links", "passkeys")
"""The tables that never reuse the ID of a deleted row."""

_PAGE = 2_000

# By placeholder: `?` for SQLite, `%s` for PostgreSQL.
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
    """One copied table: its number of rows, and the SHA-256 of all their values."""

    table: str
    rows: int
    sha256: str


class Endpoint:
    """One of the two databases, in a transaction that blocks other writers."""

    def __init__(self, where: DatabaseUrl, connection: Any) -> None:
        self._mark = "%s" if where.path is None else "?"
        self._connection = connection

    def columns(self, table: str) -> list[str]:
        """Return the column names of a table, sorted."""
        cursor = self._connection.execute(f"SELECT * FROM {table} LIMIT 0")  # noqa: S608  # TABLES
        return sorted(column[0] for column in cursor.description)

    def count(self, table: str) -> int:
        """Count the rows of a table."""
        return int(self._one(f"SELECT count(*) FROM {table}"))  # noqa: S608  # of TABLES

    def pages(self, table: str, columns: Sequence[str]) -> Iterator[list[tuple[Any, ...]]]:
        """Yield all rows in pages, in the order of their primary key."""
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
        """Return the highest ID that a table has used."""
        return int(self._one(_LAST[self._mark].format(table=table, key=TABLES[table][0])))

    def go_on_after(self, table: str, number: int) -> None:
        """Set the counter of a table, so that the next row gets a higher ID."""
        for statement in _GO_ON[self._mark]:
            key = TABLES[table][0]
            self._connection.execute(statement.format(table=table, key=key, number=number))

    def _one(self, sql: str) -> Any:
        return self._connection.execute(sql).fetchone()[0]

    def _all(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        return list(self._connection.execute(sql, values).fetchall())


def plan(source: DatabaseUrl, target: DatabaseUrl) -> list[Copied]:
    """Return what `copy` would copy. Raises Fault if it would fail."""
    _require_different(source, target)
    schema_state.require_current(source)
    _require_empty(target)
    with db.writing_blocking(source) as reading:
        side = Endpoint(source, reading)
        return [_read(side, table, side.columns(table)) for table in TABLES]


def copy(
    source: DatabaseUrl, target: DatabaseUrl, progress: Progress = lambda _: None
) -> list[Copied]:
    """Copy all rows, compare them, and commit if they are equal.

    Creates the tables of the target. Locks both databases against writers. Calls `progress` with
    the number of rows of each page. Raises Fault; then the target has no rows.
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
                raise Fault(
                    f"The copy in {target} differs: {found} instead of {each}. Nothing was changed."
                )
        for table in AUTOINCREMENT:
            if number := here.last_number(table):
                there.go_on_after(table, number)
        return copied


def count(source: DatabaseUrl) -> int:
    """Return the number of rows to copy. Raises Fault."""
    schema_state.require_current(source)
    with db.writing_blocking(source) as reading:
        side = Endpoint(source, reading)
        return sum(side.count(table) for table in TABLES)


def _copy(here: Endpoint, there: Endpoint, table: str, progress: Progress) -> Copied:
    columns = here.columns(table)
    if columns != there.columns(table):
        raise Fault(
            f"The table {table} differs in the target. Migrate both databases to the same version."
        )

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
        raise Fault(f"Source and target are the same database, {source}.")


def _require_empty(target: DatabaseUrl) -> None:
    """Raise Fault if the target has rows, before anything is changed. Missing tables are fine."""
    for table in TABLES:
        found = db.read_blocking(target, f"SELECT count(*) AS n FROM {table}", needs=table)  # noqa: S608  # of TABLES
        _require_no_rows(target, table, found[0]["n"] if found else 0)


def _require_no_rows(target: DatabaseUrl, table: str, number: int) -> None:
    if number:
        raise Fault(
            f"The database {target} is not empty: {table} has {number} row(s). Use an empty"
            " database. Nothing was changed."
        )
