"""Answers of providers that have begun a session: each counts once, over all processes."""

import hashlib

from service.db import Database, Transaction

_SECONDS = 600 + 86400
"""A day longer than an attempt can be finished: clocks of processes may differ by so much."""

NOW = {
    "sqlite": "CAST(strftime('%s', 'now') AS INTEGER)",
    "postgresql": "CAST(extract(epoch FROM clock_timestamp()) AS BIGINT)",
}
"""The database's clock, in seconds since 1970, by the kind of database."""


def hashed(text: str) -> str:
    """Return what an answer is remembered by, such as an attempt's name: it is a secret itself."""
    return hashlib.sha256(text.encode()).hexdigest()


async def use_once(tx: Transaction, provider: str, digest: str) -> bool:
    """Use an answer, if it was not used before; return whether it is used now.

    Call it in the transaction that begins the session, and leave that if the answer was used.
    """
    added = await tx.execute(
        "INSERT INTO used_answers (provider, hash, until)"  # noqa: S608  # constants
        f" VALUES (?, ?, {NOW[tx.kind]} + {_SECONDS}) ON CONFLICT DO NOTHING",
        (provider, digest),
    )
    return added == 1


async def has_dead(db: Database, _now: int) -> bool:
    """Tell whether there is anything to prune, by the database's clock."""
    row = await db.fetch_one(
        f"SELECT 1 FROM used_answers WHERE until <= {NOW[db.kind]} LIMIT 1"  # noqa: S608  # a constant
    )
    return row is not None


async def prune(tx: Transaction, _now: int) -> int:
    """Forget the answers that nobody can use any more; return how many rows that were."""
    return await tx.execute(f"DELETE FROM used_answers WHERE until <= {NOW[tx.kind]}")  # noqa: S608  # a constant
