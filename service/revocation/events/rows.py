"""The table of the revocation feed: changes that affect issued tokens.

Each function that appends runs in the transaction of the change that it announces, and leaves its
rows in `tx.events`. Times are seconds since 1970.
"""

import time

from service.db import ChangeMarker, Database, Row, Transaction
from service.tokens import lifetimes, required_claims
from service.tokens.claims import Claims
from service.tokens.lifetimes import MARGIN

DELETED_VERSION = required_claims.VERSIONS
"""The version of a deleted user in the feed, higher than every `ver`."""

_NEWEST = """
SELECT pg_relation_filepath('changes') AS place, concat_ws(' ',
 'seq=' || (SELECT coalesce(max(seq), 0) FROM changes),
 (SELECT string_agg(seconds || '=' || coalesce(until, 0), ' ') FROM token_lifetimes),
 (SELECT concat('pruned=', pruned_until, ' before=', not_before, ' disputes=', disputes)
 FROM revocation_state)) AS parts
"""
"""The place contains the OIDs of the database and the table file: most restores change one."""

_UNTIL = f"{lifetimes.HORIZON} + {MARGIN}"

_WRITTEN = """
RETURNING seq, kind, sid, user_id, version, until, (SELECT max(version) FROM changes AS earlier
 WHERE earlier.user_id = changes.user_id AND earlier.kind = 'revoked') AS revoked_below
"""
"""A row as memory applies it before it has read what came earlier: with the user's revocations."""

_IS_DEAD = "until <= ? AND seq < (SELECT max(seq) FROM changes)"
_HAS_DEAD = f"SELECT 1 FROM changes WHERE {_IS_DEAD} LIMIT 1"  # noqa: S608  # a constant
_PRUNE = f"DELETE FROM changes WHERE {_IS_DEAD}"  # noqa: S608  # a constant


async def session_ended(tx: Transaction, sid: str, until: int) -> bool:
    """Add a row for a session that has ended. Its tokens expire at `until`.

    Return whether it is new: a session ends once.
    """
    rows = await _append(
        tx,
        "(kind, sid, until) SELECT 'session', ?, ?"
        " WHERE NOT EXISTS (SELECT 1 FROM changes WHERE sid = ?)",
        (sid, until + MARGIN, sid),
    )
    return bool(rows)


async def user_changed(tx: Transaction, user_id: int, version: int) -> None:
    """Add a row for a new name or roles: tokens with a `ver` below `version` are outdated."""
    await _append_for_user(tx, "changed", user_id, version)


async def holders_changed(tx: Transaction, role_id: int) -> None:
    """Add a row for each user with a role, with the current version of the user."""
    await _append(
        tx,
        f"(kind, user_id, version, until) SELECT 'changed', id, version, {_UNTIL} FROM users"  # noqa: S608  # constants
        " WHERE id IN (SELECT user_id FROM user_roles WHERE role_id = ?) ORDER BY id",
        (*lifetimes.horizon_parameters(int(time.time())), role_id),
    )


async def user_revoked(tx: Transaction, user_id: int, version: int) -> None:
    """Add a row that revokes the user's tokens with a `ver` below `version`."""
    await _append_for_user(tx, "revoked", user_id, version)


IS_REVOKED = """
(EXISTS (SELECT 1 FROM changes WHERE sid = ?)
 OR EXISTS (SELECT 1 FROM changes WHERE user_id = ? AND kind = 'revoked' AND version > ?)
 OR EXISTS (SELECT 1 FROM revocation_state WHERE not_before > ? OR pruned_until >= ?))
"""
"""A condition: a token that was just verified has been revoked since then."""


def is_revoked_parameters(claims: Claims) -> tuple[object, ...]:
    """Return the parameters of IS_REVOKED."""
    began = claims.get("auth_time", claims["iat"])
    return claims["sid"], claims["id"], claims["ver"], began, claims["exp"]


async def is_revoked(tx: Transaction, claims: Claims) -> bool:
    """Return whether a token that was just verified has been revoked since then."""
    sql = f"SELECT 1 WHERE {IS_REVOKED}"
    return await tx.fetch_one(sql, is_revoked_parameters(claims)) is not None


async def is_user_revoked(tx: Transaction, user_id: int, version: int) -> bool:
    """Return whether the user's tokens with this `ver` are revoked."""
    row = await tx.fetch_one(
        "SELECT 1 FROM changes WHERE user_id = ? AND kind = 'revoked' AND version > ? LIMIT 1",
        (user_id, version),
    )
    return row is not None


async def version(db: Database) -> ChangeMarker:
    """Return a marker that changes with each new row, dispute, lifetime or moment."""
    return await db.data_version(_NEWEST)


async def has_dead(db: Database, now: int) -> bool:
    """Return whether there are rows to prune."""
    return await db.fetch_one(_HAS_DEAD, (now,)) is not None


async def prune(tx: Transaction, now: int) -> int:
    """Delete the rows up to `now` except the newest, record it, and return their number.

    The affected tokens expired a margin before `now`. The record tells processes with a slow clock
    not to accept them again.
    """
    pruned = await tx.execute(_PRUNE, (now,))
    if pruned:
        await lifetimes.pruned(tx, now)
    return pruned


async def _append_for_user(tx: Transaction, kind: str, user_id: int, version: int) -> None:
    await _append(
        tx,
        f"(kind, user_id, version, until) VALUES (?, ?, ?, {_UNTIL})",
        (kind, user_id, version, *lifetimes.horizon_parameters(int(time.time()))),
    )


async def _append(tx: Transaction, what: str, values: tuple[object, ...]) -> list[Row]:
    """Insert rows, and leave them in `tx.events`; return them."""
    rows = await tx.fetch_all(f"INSERT INTO changes {what} {_WRITTEN}", values)
    tx.events += rows
    return rows
