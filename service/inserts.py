"""Statements that insert many rows at once."""

from collections.abc import Iterator, Sequence

ROWS = 500
"""How many rows a statement inserts: what it costs by itself is small then, and it is not large."""


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
        yield statement, [value for values in some for value in values]
