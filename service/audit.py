"""The audit log: a table of all changes, with actor, target and client. It is append-only."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

from service.db import Database, Row, Transaction, bulk_insert
from service.parsing import dates

Action = Literal[
    "user_create",
    "user_update",
    "user_delete",
    "user_sign_out",
    "role_create",
    "role_delete",
    "identity_link",
    "identity_unlink",
    "password_set",
    "password_delete",
    "totp_set",
    "totp_delete",
    "recovery_code_use",
    "link_create",
    "link_use",
    "invitation_create",
    "invitation_revoke",
    "passkey_add",
    "passkey_rename",
    "passkey_delete",
    "passkey_refuse",
]

_APPENDED = (
    "at", "actor_id", "actor", "action", "target_id", "target", "detail", "client", "request_id",
)  # fmt: skip
_COLUMNS = ", ".join(("id", *_APPENDED))


@dataclass(frozen=True, slots=True)
class Actor:
    """The user, command or provider that makes a change. Without `id`, all changes are allowed.

    `manages` says that the transaction of the change has read that the user `id` manages users.
    """

    name: str
    id: int | None = None
    client: str | None = None
    request_id: str | None = None
    manages: bool = False


def now() -> str:
    """Return the current time in the format of the database: RFC 3339, UTC, seconds."""
    return dates.rfc3339(int(time.time()))


async def record(
    tx: Transaction,
    by: Actor,
    action: Action,
    target: tuple[int | None, str],
    detail: dict[str, Any] | None = None,
) -> None:
    """Add an entry for `target` (ID and name) in the transaction of the change."""
    await record_all(tx, by, action, [(*target, written(detail or {}))])


async def record_all(
    tx: Transaction,
    by: Actor,
    action: Action,
    targets: Sequence[tuple[int | None, str, str]],
) -> None:
    """Add an entry for each of several targets: ID, name and `written` detail.

    What a request does is left in `tx.entries`, to be logged after the commit.
    """
    before, after = (now(), by.id, by.name, action), (by.client, by.request_id)
    rows = [(*before, *target, *after) for target in targets]
    for statement, values in bulk_insert.many("audit", _APPENDED, rows):
        await tx.execute(statement, values)
    if by.request_id is not None:
        tx.entries += [dict(zip(_APPENDED, row, strict=True)) for row in rows]


def log_fields(entry: Row) -> dict[str, Any]:
    """Return the log fields of an entry of `tx.entries`: the target and the actor."""
    target = "role" if entry["action"].startswith("role_") else "user"
    fields = {target: entry["target"], "by": entry["actor"]}
    if entry["action"].startswith("identity_"):
        fields["provider"] = json.loads(entry["detail"])["provider"]
    return fields


def written(detail: dict[str, Any]) -> str:
    """Return a detail in the format of the database."""
    return json.dumps(detail)


class Named(TypedDict):
    """An actor or target, with its name at that time. Without `id` it is not a user."""

    id: int | None
    name: str


class Entry(TypedDict):
    """An audit entry. `at` is RFC 3339 in UTC."""

    id: int
    at: str
    actor: Named
    action: str
    target: Named
    detail: dict[str, Any]
    client: str | None
    request_id: str | None


@dataclass(frozen=True, slots=True)
class Query:
    """The filters of entries: an ID below `before`, a changed user, an action."""

    limit: int = 50
    before: int | None = None
    user: int | None = None
    action: str | None = None


async def page(db: Database, query: Query) -> tuple[list[Entry], int | None]:
    """Return a page of entries, newest first, and `before` of the next page or None."""
    wanted = {
        "id < ?": query.before,
        "target_id = ? AND action NOT LIKE 'role\\_%' ESCAPE '\\'": query.user,
        "action = ?": query.action,
    }
    given = {condition: value for condition, value in wanted.items() if value is not None}
    where = f"WHERE {' AND '.join(given)}" if given else ""
    rows = await db.fetch_all(
        f"SELECT {_COLUMNS} FROM audit {where} ORDER BY id DESC LIMIT ?",  # noqa: S608  # constants
        (*given.values(), query.limit + 1),
    )
    entries = [_entry(row) for row in rows[: query.limit]]
    return entries, entries[-1]["id"] if len(rows) > query.limit else None


async def last_id(db: Database, username: str) -> int | None:
    """Return the ID of the last user with a name in the entries, or None."""
    row = await db.fetch_one(
        "SELECT target_id FROM audit WHERE target = ? AND action LIKE 'user\\_%' ESCAPE '\\'"
        " ORDER BY id DESC LIMIT 1",
        (username,),
    )
    return int(row["target_id"]) if row else None


def _entry(row: Row) -> Entry:
    return {
        "id": row["id"],
        "at": row["at"],
        "actor": {"id": row["actor_id"], "name": row["actor"]},
        "action": row["action"],
        "target": {"id": row["target_id"], "name": row["target"]},
        "detail": json.loads(row["detail"]),
        "client": row["client"],
        "request_id": row["request_id"],
    }
