"""Statements that insert many rows at once."""

from collections.abc import Iterator, Sequence
from itertools import chain

ROWS = 2_000
"""Rows per statement: with ten columns, below the parameter limits of the databases."""


def many(
    table: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    returning: Sequence[str] = (),
) -> Iterator[tuple[str, list[object]]]:
    """Yield the statements that insert all `rows`, each with its parameters.

    `table`, `columns` and `returning` must be constants. The trigger of SQLite's full-text index is
    much cheaper this way, because it writes to disk after each statement.
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
