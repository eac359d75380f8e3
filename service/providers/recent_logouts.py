"""Recent logouts at providers, for sessions that are still starting."""

import asyncio

from service.db import NOW, Database, Reader, Transaction
from service.providers import used_answers

_SECONDS = 900
"""Longer than all waits for the provider and the writer, and than an ID token is accepted."""


class Newest:
    """The number of the newest logout. Concurrent callbacks share a read.

    Clients can send callbacks at any rate; this uses at most one connection to the database.
    """

    def __init__(self, db: Reader) -> None:
        self._db = db
        self._reading: asyncio.Task[int] | None = None

    async def number(self) -> int:
        """Return the number. Raises DatabaseUnavailable."""
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(newest(self._db))
        return await asyncio.shield(self._reading)


async def newest(db: Reader) -> int:
    """Return the number of the newest logout, 0 if there is none."""
    row = await db.fetch_one("SELECT coalesce(max(id), 0) AS number FROM provider_logouts")
    return int(row["number"]) if row else 0


async def remember(
    tx: Transaction,
    provider: str,
    *,
    handle: str | None = None,
    subject: str | None = None,
    issued_at: int = 0,
) -> None:
    """Store a logout: the handle or the subject that has ended."""
    await tx.execute(
        "INSERT INTO provider_logouts (provider, handle, subject, issued_at, until)"  # noqa: S608  # constants
        f" VALUES (?, ?, ?, ?, {NOW[tx.kind]} + {_SECONDS})",
        (provider, handle, subject, issued_at),
    )


async def has_ended(
    tx: Transaction,
    provider: str,
    *,
    handle: str | None,
    subject: str,
    seen: int,
    signed_in_at: int,
) -> bool:
    """Return whether a session at a provider ended before the sign-in here was complete.

    A logout with its handle counts at any time. A logout of the subject, or of a handle that may be
    this session, counts if the provider issued it after the sign-in, by its clock; in the same
    second, if it arrived after the browser came back. `seen` is the newest logout at that time,
    `signed_in_at` the provider's time of the sign-in.
    """
    may_be_any = "" if handle is None else " AND handle IS NULL"
    row = await tx.fetch_one(
        "SELECT 1 FROM provider_logouts WHERE provider = ? AND handle = ?"  # noqa: S608  # constants
        " AND (subject IS NULL OR subject = ?)"
        " UNION ALL SELECT 1 FROM provider_logouts WHERE provider = ? AND subject = ?"
        f" AND (issued_at > ? OR (issued_at = ? AND id > ?)){may_be_any} LIMIT 1",
        (
            *(provider, handle or "", subject),
            *(provider, subject, signed_in_at, signed_in_at, seen),
        ),
    )
    return row is not None


async def is_known(db: Reader, provider: str, handle: str) -> bool:
    """Return whether a logout is already stored. Does not use the writer."""
    row = await db.fetch_one(
        "SELECT 1 FROM provider_logouts WHERE provider = ? AND handle = ? LIMIT 1",
        (provider, handle),
    )
    return row is not None


async def has_dead(db: Database, now: int) -> bool:
    """Return whether there are logouts or used answers to prune."""
    if await used_answers.has_dead(db, now):
        return True
    row = await db.fetch_one(
        f"SELECT 1 FROM provider_logouts WHERE until <= {NOW[db.kind]} LIMIT 1"  # noqa: S608  # a constant
    )
    return row is not None


async def prune(tx: Transaction, now: int) -> int:
    """Delete expired logouts and used answers. Return the number of rows."""
    dead = f"DELETE FROM provider_logouts WHERE until <= {NOW[tx.kind]}"  # noqa: S608  # a constant
    return await tx.execute(dead) + await used_answers.prune(tx, now)
