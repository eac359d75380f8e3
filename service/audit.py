"""The audit: who changed what, of whom, from where. A table that is only appended to."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from service.db import Database, Row, Transaction

Action = Literal[
    "user_create",
    "user_update",
    "user_delete",
    "user_sign_out",
    "role_create",
    "role_delete",
    "identity_link",
    "identity_unlink",
]

_COLUMNS = "id, at, actor_id, actor, action, target_id, target, detail, client, request_id"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who makes a change. Without `id` it is the command line, which may do everything."""

    name: str
    id: int | None = None
    client: str | None = None
    request_id: str | None = None


def now() -> str:
    """Return the time as the database keeps it: RFC 3339, UTC, seconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


async def record(
    tx: Transaction,
    by: Actor,
    action: Action,
    target: tuple[int | None, str],
    detail: dict[str, Any] | None = None,
) -> None:
    """Append what was done to `target` (id and name), in the transaction of the change itself."""
    await tx.execute(
        "INSERT INTO audit (at, actor_id, actor, action, target_id, target, detail, client,"
        " request_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            now(),
            by.id,
            by.name,
            action,
            *target,
            json.dumps(detail or {}),
            by.client,
            by.request_id,
        ),
    )


async def page(
    db: Database,
    *,
    limit: int,
    before: int | None = None,
    user: int | None = None,
    action: str | None = None,
) -> list[dict[str, Any]]:
    """Read entries, the newest first, those with an id below `before`.

    An entry is `{"id", "at", "actor": {"id", "name"}, "action", "target": {"id", "name"}, "detail",
    "client", "request_id"}`. `user` is the id of a user who was changed.
    """
    wanted = {
        "id < ?": before,
        "target_id = ? AND action NOT LIKE 'role\\_%' ESCAPE '\\'": user,
        "action = ?": action,
    }
    given = {condition: value for condition, value in wanted.items() if value is not None}
    where = f"WHERE {' AND '.join(given)}" if given else ""
    rows = await db.fetch_all(
        f"SELECT {_COLUMNS} FROM audit {where} ORDER BY id DESC LIMIT ?",  # noqa: S608  # constants
        (*given.values(), limit),
    )
    return [_entry(row) for row in rows]


def _entry(row: Row) -> dict[str, Any]:
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
