"""Statements that insert many rows at once."""

from collections.abc import Iterator, Sequence
from itertools import chain

ROWS = 2_000
"""How many rows a statement inserts: with ten columns no more values than databases take."""


def many(
    table: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    returning: Sequence[str] = (),
) -> Iterator[tuple[str, list[object]]]:
    """Yield statements that insert all of `rows` together, each with its parameters.

    `table`, `columns` and `returning` are names of the code's own, never a caller's. A trigger of
    SQLite's full-text index is much cheaper this way: it writes to disk after each statement.
    """
    row = f"({', '.join('?' * len(columns))})"
    end = f" RETURNING {', '.join(returning)}" if returning else ""
    for start in range(0, len(rows), ROWS):
        some = rows[start : start + ROWS]
        statement = (
            f"INSERT INTO {table} ({', '.join(columns)})"  # noqa: S608  # see above
            f" VALUES {', '.join([row] * len(some))}{end}"
        )
        yield statement, list(chain.from_iterable(some))
