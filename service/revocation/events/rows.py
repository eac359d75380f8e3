"""The revocation feed's table: what tokens that are already issued must learn.

Each function that appends runs in the transaction of the change that it announces, and leaves its
rows in `tx.events`. Times are seconds since 1970.
"""

import time

from service.db import ChangeMarker, Database, Row, Transaction
from service.tokens import lifetimes, required_claims
from service.tokens.claims import Claims
from service.tokens.lifetimes import MARGIN

DELETED_VERSION = required_claims.VERSIONS
"""The version that a deleted user has in the feed: above every `ver`."""

_NEWEST = """
SELECT pg_relation_filepath('changes') AS place, concat_ws(' ',
 'seq=' || (SELECT coalesce(max(seq), 0) FROM changes),
 (SELECT string_agg(seconds || '=' || coalesce(until, 0), ' ') FROM token_lifetimes),
 (SELECT concat('pruned=', pruned_until, ' before=', not_before, ' disputes=', disputes)
 FROM revocation_state)) AS parts
"""
"""The place has the numbers of the database and of the table's file: most restores change one."""

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
    """Announce that a session has ended, whose tokens expire at `until`.

    Return whether that is new: a session ends once.
    """
    rows = await _append(
        tx,
        "(kind, sid, until) SELECT 'session', ?, ?"
        " WHERE NOT EXISTS (SELECT 1 FROM changes WHERE sid = ?)",
        (sid, until + MARGIN, sid),
    )
    return bool(rows)


async def user_changed(tx: Transaction, user_id: int, version: int) -> None:
    """Announce new name or roles: tokens with a `ver` below `version` are good, but not fresh."""
    await _append_for_user(tx, "changed", user_id, version)


async def holders_changed(tx: Transaction, role_id: int) -> None:
    """Announce that all who have a role have changed, with the versions that they have now."""
    await _append(
        tx,
        f"(kind, user_id, version, until) SELECT 'changed', id, version, {_UNTIL} FROM users"  # noqa: S608  # constants
        " WHERE id IN (SELECT user_id FROM user_roles WHERE role_id = ?) ORDER BY id",
        (*lifetimes.horizon_parameters(int(time.time())), role_id),
    )


async def user_revoked(tx: Transaction, user_id: int, version: int) -> None:
    """Announce that the user's tokens with a `ver` below `version` are taken back."""
    await _append_for_user(tx, "revoked", user_id, version)


IS_REVOKED = """
(EXISTS (SELECT 1 FROM changes WHERE sid = ?)
 OR EXISTS (SELECT 1 FROM changes WHERE user_id = ? AND kind = 'revoked' AND version > ?)
 OR EXISTS (SELECT 1 FROM revocation_state WHERE not_before > ? OR pruned_until >= ?))
"""
"""A condition: a token that was good a moment ago has been taken back since, in any way."""


def is_revoked_parameters(claims: Claims) -> tuple[object, ...]:
    """Return the parameters of IS_REVOKED."""
    began = claims.get("auth_time", claims["iat"])
    return claims["sid"], claims["id"], claims["ver"], began, claims["exp"]


async def is_revoked(tx: Transaction, claims: Claims) -> bool:
    """Tell whether a token that was good a moment ago has been taken back since, in any way."""
    sql = f"SELECT 1 WHERE {IS_REVOKED}"
    return await tx.fetch_one(sql, is_revoked_parameters(claims)) is not None


async def is_user_revoked(tx: Transaction, user_id: int, version: int) -> bool:
    """Tell whether the user's tokens with this `ver` have been taken back."""
    row = await tx.fetch_one(
        "SELECT 1 FROM changes WHERE user_id = ? AND kind = 'revoked' AND version > ? LIMIT 1",
        (user_id, version),
    )
    return row is not None


async def version(db: Database) -> ChangeMarker:
    """Return what changes with a new row or dispute, or with a lifetime or a moment that moved."""
    return await db.data_version(_NEWEST)


async def has_dead(db: Database, now: int) -> bool:
    """Tell whether there is anything to prune."""
    return await db.fetch_one(_HAS_DEAD, (now,)) is not None


async def prune(tx: Transaction, now: int) -> int:
    """Delete the rows up to `now` except the newest, and note it; return how many that were.

    The tokens that these rows concern expired a margin before `now`. A process whose clock is
    slow learns from the note that they have, and does not accept them again.
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
