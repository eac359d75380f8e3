"""Search, filter and sort users. Reads a page at a time with indexes."""

from dataclasses import dataclass
from typing import Any, cast

from service.db import Database, Transaction
from service.db.casefold import casefold
from service.users import filters
from service.users.filters import Filter, Sql
from service.users.read import COLUMNS, WITH_ROLES, User, group_roles

SORTS = ("id", "username", "name", "created_at", "updated_at")
"""The sortable columns, each with an index that ends with the ID."""

FEW = 3_000
"""The maximum number of users to look up and sort for a page."""

WALKED = 2_500
"""The maximum number of users to scan, in the order of the list, to fill a page."""

MANY = 20_000
"""The maximum count of users that match a filter, when filters are compared."""

_FIRST = {"sqlite": "CROSS JOIN", "postgresql": "JOIN"}  # CROSS JOIN fixes SQLite's order


@dataclass(frozen=True, slots=True)
class Query:
    """The filters and the order of a list of users.

    `q` searches user names, names and e-mail addresses; with one or two characters, the start of
    user names. It ignores case. `sort` is one of SORTS. `after` is the position of the last user of
    the previous page, `(value of that column, id)`.
    """

    limit: int = 50
    q: str | None = None
    role: str | None = None
    disabled: bool | None = None
    sort: str = "username"
    descending: bool = False
    after: tuple[str | int, int] | None = None


async def has_email(db: Database | Transaction, email: str, *, but: int = 0) -> bool:
    """Return whether a user has an e-mail address, in any case of letters.

    `but` is the ID of a user who does not count.
    """
    text = casefold(email)
    candidates, parameters = filters.contains(text, db.kind).few
    row = await db.fetch_one(
        f"SELECT 1 FROM users WHERE id IN ({candidates}) AND search LIKE ? ESCAPE '!'"  # noqa: S608  # constants
        " AND id <> ? LIMIT 1",
        (
            *parameters,
            filters.ends_with(f"\n{text}"),
            but,
        ),  # it is the last line of what is searched
    )
    return row is not None


async def page(db: Database, query: Query) -> tuple[list[User], tuple[str | int, int] | None]:
    """Return a page of users with their roles, and `after` of the next page or None.

    No combination of filters scans all of a hundred thousand users.
    """
    asked = await filters.read(
        db, q=query.q, role=query.role, disabled=query.disabled, sort=query.sort
    )
    found = [] if asked is None else await _found(db, query, asked)
    if len(found) <= query.limit:
        return found, None
    last = cast("dict[str, Any]", found[query.limit - 1])
    return found[: query.limit], (last[query.sort] or "", last["id"])


async def _found(db: Database, query: Query, asked: list[Filter]) -> list[User]:
    """Return the users of a page, and one more if there is one.

    If a filter matches few users, sort these. Otherwise scan the index of the order, which usually
    fills the page soon. If not, because the filters together match few users or only late ones,
    sort all users that match the narrowest filter.
    """
    start = [*_beyond(query), *(each.condition for each in asked if each.is_in_index)]
    selecting = [each for each in asked if not each.is_in_index]
    conditions = [each.condition for each in selecting]
    if not selecting:
        return await _read(db, query, start)
    for few in selecting:
        if await _count(db, few.few, FEW + 1) <= FEW:
            others = [each.condition for each in selecting if each is not few]
            return await _read(db, query, [*start, *others], few.few)
    end = await _end(db, query, start)
    walked = await _read(db, query, [*start, *end, *conditions])
    if len(walked) > query.limit or not end:
        return walked
    counts = [await _count(db, each.many, MANY) for each in selecting]
    least = selecting[counts.index(min(counts))]
    return await _read(db, query, [*start, *conditions], least.many)


async def _read(
    db: Database, query: Query, conditions: list[Sql], among: Sql | None = None
) -> list[User]:
    """Return the first users, one more than a page, optionally `among` a select of IDs."""
    source = f"({among[0]}) h {_FIRST[db.kind]} users u ON u.id = h.id" if among else "users u"
    where, values = _where(conditions)
    rows = await db.fetch_all(
        f"SELECT {COLUMNS}, r.id AS role_id, r.role FROM (SELECT u.* FROM {source} {where}"  # noqa: S608  # constants
        f" ORDER BY {_order(query)} LIMIT ?) u {WITH_ROLES} ORDER BY {_order(query)}, r.id",
        (*(among[1] if among else ()), *values, query.limit + 1),
    )
    return group_roles(rows)


async def _count(db: Database, select: Sql, most: int) -> int:
    """Count the rows of a select, up to `most`."""
    sql, values = select
    row = await db.fetch_one(
        f"SELECT count(*) AS n FROM (SELECT 1 FROM ({sql}) h LIMIT ?) c",  # noqa: S608  # constants
        (*values, most),
    )
    return int(row["n"]) if row else 0


async def _end(db: Database, query: Query, start: list[Sql]) -> list[Sql]:
    """Return the condition that a user is among the first WALKED; none if there are no more."""
    where, values = _where(start)
    row = await db.fetch_one(
        f"SELECT u.{query.sort} AS value, u.id FROM users u {where}"  # noqa: S608  # constants
        f" ORDER BY {_order(query)} LIMIT 1 OFFSET ?",
        (*values, WALKED),
    )
    if row is None:
        return []
    return [_compared(query, ">=" if query.descending else "<=", (row["value"], row["id"]))]


def _beyond(query: Query) -> list[Sql]:
    """Return the condition that a user comes after the previous page, if there is one."""
    if query.after is None:
        return []
    return [_compared(query, "<" if query.descending else ">", query.after)]


def _compared(query: Query, sign: str, place: tuple[str | int, int]) -> Sql:
    if query.sort == "id":
        return f"u.id {sign} ?", (place[1],)
    return f"(u.{query.sort}, u.id) {sign} (?, ?)", place


def _order(query: Query) -> str:
    way = " DESC" if query.descending else ""
    return f"u.id{way}" if query.sort == "id" else f"u.{query.sort}{way}, u.id{way}"


def _where(conditions: list[Sql]) -> Sql:
    if not conditions:
        return "", ()
    return (
        f"WHERE {' AND '.join(sql for sql, _ in conditions)}",
        tuple(value for _, values in conditions for value in values),
    )
