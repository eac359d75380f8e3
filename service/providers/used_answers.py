"""Used answers of providers: each can start a session once, over all processes."""

import hashlib

from service.db import NOW, Database, Transaction

_SECONDS = 600 + 86400
"""A day longer than the lifetime of an attempt, as the clocks of processes may differ."""


def hashed(text: str) -> str:
    """Return the hash of an answer's ID, which is a secret itself."""
    return hashlib.sha256(text.encode()).hexdigest()


async def use_once(tx: Transaction, provider: str, digest: str) -> bool:
    """Mark an answer as used. Return False if it was used before.

    Call it in the transaction that starts the session, and roll back if it returns False.
    """
    added = await tx.execute(
        "INSERT INTO used_answers (provider, hash, until)"  # noqa: S608  # constants
        f" VALUES (?, ?, {NOW[tx.kind]} + {_SECONDS}) ON CONFLICT DO NOTHING",
        (provider, digest),
    )
    return added == 1


async def has_dead(db: Database, _now: int) -> bool:
    """Return whether there are answers to prune, by the database's clock."""
    row = await db.fetch_one(
        f"SELECT 1 FROM used_answers WHERE until <= {NOW[db.kind]} LIMIT 1"  # noqa: S608  # a constant
    )
    return row is not None


async def prune(tx: Transaction, _now: int) -> int:
    """Delete expired answers. Return the number of rows."""
    return await tx.execute(f"DELETE FROM used_answers WHERE until <= {NOW[tx.kind]}")  # noqa: S608  # a constant
