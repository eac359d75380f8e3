"""The revocation feed's table: what tokens that are already out there must learn.

Each function that appends runs in the transaction of the change that it announces. Times are
seconds since 1970.
"""

from service.db import Database, Reader, Row, Transaction, Version

DELETED = 2**62
"""The version that a deleted user has in the feed: above every `ver`."""

_LONGEST = 365 * 86400
_MARGIN = 60  # a token may be issued shortly after the change, from what was read before it
ALL = 2**62
"""More rows than there will ever be."""

_NEWEST = "SELECT coalesce(max(seq), 0) AS number FROM changes"
_IS_DEAD = "until <= ? AND seq < (SELECT max(seq) FROM changes)"
_HAS_DEAD = f"SELECT 1 FROM changes WHERE {_IS_DEAD} LIMIT 1"  # noqa: S608  # a constant
_PRUNE = f"DELETE FROM changes WHERE {_IS_DEAD}"  # noqa: S608  # a constant
_SELECT = "SELECT seq, kind, sid, user_id, version, until FROM changes"


async def session_ended(tx: Transaction, sid: str, until: int) -> None:
    """Announce that a session has ended, whose tokens expire at `until`."""
    await tx.execute(
        "INSERT INTO changes (kind, sid, until) VALUES ('session', ?, ?)", (sid, until + _MARGIN)
    )


async def user_changed(tx: Transaction, user_id: int, version: int, now: int) -> None:
    """Announce new name or roles: tokens with a `ver` below `version` are good, but not fresh."""
    await _append_for_user(tx, "changed", user_id, version, now)


async def user_revoked(tx: Transaction, user_id: int, version: int, now: int) -> None:
    """Announce that the user's tokens with a `ver` below `version` are taken back."""
    await _append_for_user(tx, "revoked", user_id, version, now)


async def live(db: Reader, now: int, since: int = 0, limit: int = ALL) -> list[Row]:
    """Read the first rows after `since` that a live token may need, in the order of `seq`.

    Whoever has seen a `seq` has missed none before it: writers come one after another.
    """
    return await db.fetch_all(
        f"{_SELECT} WHERE seq > ? AND until > ? ORDER BY seq LIMIT ?", (since, now, limit)
    )


async def last_seq(db: Reader) -> int:
    """Read the highest `seq` that was used, by a row that is dead by now too; 0 if none was."""
    row = await db.fetch_one(_NEWEST)
    return int(row["number"]) if row else 0


async def version(db: Database) -> Version:
    """Return what changes when anybody has appended a row."""
    return await db.data_version(_NEWEST)


async def has_dead(db: Database, now: int) -> bool:
    """Tell whether there is anything to prune."""
    return await db.fetch_one(_HAS_DEAD, (now,)) is not None


async def prune(tx: Transaction, now: int) -> int:
    """Delete what no live token can need, but the newest row; return how many rows that were."""
    await tx.execute("DELETE FROM token_lifetimes WHERE until <= ?", (now,))
    return await tx.execute(_PRUNE, (now,))


async def issuing(tx: Transaction, seconds: int, now: int) -> None:
    """Note that tokens are issued from now on with a life of `seconds`, and with no other.

    Those with another life are still out there for a while: what concerns them has to be kept.
    """
    await tx.execute(
        "UPDATE token_lifetimes SET until = ? + seconds WHERE until IS NULL AND seconds <> ?",
        (now + _MARGIN, seconds),
    )
    await tx.execute(
        "INSERT INTO token_lifetimes (seconds, until) VALUES (?, NULL)"
        " ON CONFLICT (seconds) DO UPDATE SET until = NULL",
        (seconds,),
    )


async def _append_for_user(
    tx: Transaction, kind: str, user_id: int, version: int, now: int
) -> None:
    await tx.execute(
        "INSERT INTO changes (kind, user_id, version, until) SELECT ?, ?, ?,"
        " ? + coalesce(max(seconds), ?) FROM token_lifetimes WHERE until IS NULL OR until > ?",
        (kind, user_id, version, now + _MARGIN, _LONGEST, now),
    )
