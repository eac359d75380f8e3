"""Lists of users: searched, filtered, sorted; a page at a time, by indexes."""

from dataclasses import dataclass
from typing import Any

from service.db import Database, Kind
from service.users import search
from service.users.reading import COLUMNS, WITH_ROLES, User, fold

SORTS = ("id", "username", "name", "created_at", "updated_at")
"""The columns that a list can be sorted by, each with an index that ends with the id."""

_FEW = 5_000
_SHORTEST_SEARCH = 3  # characters: the index is one of trigrams
_FIRST = {"sqlite": "CROSS JOIN", "postgresql": "JOIN"}  # SQLite is told what to begin with


@dataclass(frozen=True, slots=True)
class Query:
    """Which users, in which order. `after` is the place of the last user of the page before.

    `q` is looked for anywhere in user name, name and e-mail address, under three characters at the
    start of the user name; `sort` is one of SORTS; `after` is `(value of that column, id)`.
    """

    limit: int = 50
    q: str | None = None
    role: str | None = None
    disabled: bool | None = None
    sort: str = "username"
    descending: bool = False
    after: tuple[str | int, int] | None = None


async def page(db: Database, query: Query) -> tuple[list[User], tuple[str | int, int] | None]:
    """Read a page of users with their roles; and what `after` of the next page is, if there is one.

    Few candidates are sorted; of many, the index of the order is walked until the page is full.
    """
    hits, values = _candidates(query, db.kind)
    source = "users u"
    conditions: list[str] = []
    if hits:
        few = await _are_few(db, hits, values)
        source = f"({hits}) h {_FIRST[db.kind]} users u ON u.id = h.id" if few else source
        conditions = [] if few else [f"+u.id IN ({hits})"]
    if query.disabled is False:
        conditions.append("u.disabled = 0")
    if query.after is not None:
        place, place_values = _beyond(query)
        conditions.append(place)
        values = [*values, *place_values]
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    rows = await db.fetch_all(
        f"SELECT {COLUMNS}, r.id AS role_id, r.role FROM (SELECT u.* FROM {source} {where}"  # noqa: S608  # constants
        f" ORDER BY {_order(query)} LIMIT ?) u {WITH_ROLES} ORDER BY {_order(query)}, r.id",
        (*values, query.limit + 1),
    )
    found = fold(rows)
    if len(found) <= query.limit:
        return found, None
    last = found[query.limit - 1]
    return found[: query.limit], (last[query.sort] or "", last["id"])


def _candidates(query: Query, kind: Kind) -> tuple[str, list[Any]]:
    """Return a select of the ids that the filters leave, and its values; '' when none filters."""
    parts: list[tuple[str, list[Any]]] = []
    if query.q is not None and len(query.q) >= _SHORTEST_SEARCH:
        parts.append(search.containing(query.q, kind))
    elif query.q is not None:
        start = query.q.lower()
        parts.append(
            ("SELECT id FROM users WHERE username >= ? AND username < ?", [start, start + "\x7f"])
        )
    if query.role is not None:
        by_role = (
            "SELECT user_id AS id FROM user_roles"
            " WHERE role_id = (SELECT id FROM roles WHERE role = ?)"
        )
        parts.append((by_role, [query.role]))
    if query.disabled:
        parts.append(("SELECT id FROM users WHERE disabled = 1", []))
    return (
        " INTERSECT ".join(select for select, _ in parts),
        [value for _, values in parts for value in values],
    )


async def _are_few(db: Database, hits: str, values: list[Any]) -> bool:
    row = await db.fetch_one(
        f"SELECT count(*) AS n FROM (SELECT 1 FROM ({hits}) h LIMIT ?) n",  # noqa: S608  # constants
        (*values, _FEW + 1),
    )
    return row is not None and row["n"] <= _FEW


def _order(query: Query) -> str:
    way = " DESC" if query.descending else ""
    return f"u.id{way}" if query.sort == "id" else f"u.{query.sort}{way}, u.id{way}"


def _beyond(query: Query) -> tuple[str, tuple[str | int, ...]]:
    """Return the condition that a user comes after the page before, and its values."""
    assert query.after is not None  # noqa: S101  # the caller's case
    sign = "<" if query.descending else ">"
    if query.sort == "id":
        return f"u.id {sign} ?", (query.after[1],)
    return f"(u.{query.sort}, u.id) {sign} (?, ?)", query.after
