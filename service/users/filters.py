"""What a list of users can be filtered by, as SQL: a select of ids, or a condition on a row."""

import re
from dataclasses import dataclass

from service.db import Database, Kind
from service.db.casefold import casefold

_TRIGRAM = 3  # characters: of so many are the entries of the index for searching
_NOBODYS = frozenset("\0\n")  # the end of a text, to the index; what stands between the columns
_WITH_USERNAME = ("username", "name")  # the orders whose indexes have the user name, too

Sql = tuple[str, tuple[object, ...]]
"""A piece of a statement, and its parameters."""


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter, in each of its forms."""

    condition: Sql
    """A condition on a row `u` of users, that leads the planner to no index."""
    few: Sql
    """A select of the ids that pass, by an index."""
    many: Sql
    """A select for when very many pass: quick, but may let others pass as well."""
    is_in_index: bool = False
    """Whether the index of the order tells who passes: then it is walked without a limit."""


async def read(
    db: Database, *, q: str | None, role: str | None, disabled: bool | None, sort: str
) -> list[Filter] | None:
    """Return the filters that are asked for; None when it is clear that nobody passes."""
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
        found.append(_contains(text, db.kind) if len(text) >= _TRIGRAM else _begins(text, sort))
    return found


def _contains(text: str, kind: Kind) -> Filter:
    """Look anywhere, by an index of trigrams; on PostgreSQL it may be missing, and is not named."""
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
    """Look at the beginning of the user name alone: the index for searching has nothing shorter."""
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
    """Return a text as FTS5 takes it literally, whatever is in it."""
    return '"{}"'.format(text.replace('"', '""'))


def _pattern(text: str) -> str:
    """Return what LIKE takes for "contains this", whatever is in it."""
    return "%{}%".format(re.sub("[!%_]", r"!\g<0>", text))
