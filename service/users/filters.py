"""The filters of user lists as SQL: a select of IDs, or a condition on a row."""

import re
from dataclasses import dataclass

from service.db import Database, Kind
from service.db.casefold import casefold

_TRIGRAM = 3  # the length of the entries in the search index, in characters
_NOBODYS = frozenset("\0\n")  # the end of a text in the index; the separator of columns
_WITH_USERNAME = ("username", "name")  # the orders whose indexes contain the user name

Sql = tuple[str, tuple[object, ...]]
"""A part of a statement, and its parameters."""


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter, in each of its forms."""

    condition: Sql
    """A condition on a row `u` of users, for which the planner uses no index."""
    few: Sql
    """A select of the matching IDs that uses an index."""
    many: Sql
    """A faster select for very many matches. It may also return other users."""
    is_in_index: bool = False
    """Whether the index of the order contains the filter. Then it is scanned without a limit."""


async def read(
    db: Database, *, q: str | None, role: str | None, disabled: bool | None, sort: str
) -> list[Filter] | None:
    """Return the filters of a query, None if no user can match."""
    found: list[Filter] = []
    if disabled is not None:
        select = "SELECT id FROM users WHERE disabled = ?", (int(disabled),)
        found.append(Filter(("+u.disabled = ?", (int(disabled),)), select, select))
    if role is not None:
        row = await db.fetch_one("SELECT id FROM roles WHERE role = ?", (role,))
        if row is None:
            return None
        found.append(_has_role(row["id"]))
    if q is not None:
        text = casefold(q)
        if set(text) & _NOBODYS:
            return None
        found.append(contains(text, db.kind) if len(text) >= _TRIGRAM else _begins(text, sort))
    return found


def contains(text: str, kind: Kind) -> Filter:
    """Search anywhere, with a trigram index. On PostgreSQL the index may be missing."""
    if kind == "postgresql":
        by_pattern = "SELECT id FROM users WHERE search LIKE ? ESCAPE '!'", (_pattern(text),)
        return Filter(("strpos(u.search, ?) > 0", (text,)), by_pattern, by_pattern)
    select = "SELECT rowid AS id FROM user_search WHERE user_search MATCH ?"
    return Filter(
        condition=("instr(u.search, ?) > 0", (text,)),
        few=(select, (_phrase(text),)),
        many=(select, (_phrase(text[:_TRIGRAM]),)),
    )


def _begins(text: str, sort: str) -> Filter:
    """Search the start of the user name only, because the text is too short for trigrams."""
    values = (text, text + "\x7f")
    select = "SELECT id FROM users WHERE username >= ? AND username < ?", values
    name = "u.username" if sort == "username" else "(u.username || '')"
    condition = f"{name} >= ? AND {name} < ?", values
    return Filter(condition, select, select, is_in_index=sort in _WITH_USERNAME)


def _has_role(role_id: int) -> Filter:
    select = "SELECT user_id AS id FROM user_roles WHERE role_id = ?", (role_id,)
    holds = "EXISTS (SELECT 1 FROM user_roles h WHERE h.user_id = u.id AND h.role_id = ?)"
    return Filter((holds, (role_id,)), select, select)


def _phrase(text: str) -> str:
    """Return a text as a literal phrase for FTS5."""
    return '"{}"'.format(text.replace('"', '""'))


def ends_with(text: str) -> str:
    """Return a LIKE pattern, with `!` as its escape, for "ends with this text"."""
    return "%{}".format(re.sub("[!%_]", r"!\g<0>", text))


def _pattern(text: str) -> str:
    """Return an escaped LIKE pattern for "contains this text"."""
    return f"{ends_with(text)}%"
