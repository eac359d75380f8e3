"""Which logout tokens providers have used: each counts once, whichever process hears it."""

from service.db import Database, Transaction


async def use_once(tx: Transaction, provider: str, jti: str, until: int) -> bool:
    """Tell whether a logout token is used for the first time, and remember it until then."""
    added = await tx.execute(
        "INSERT INTO logout_tokens (provider, jti, until) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        (provider, jti, until),
    )
    return added == 1


async def has_dead(db: Database, now: int) -> bool:
    """Return whether there are rows to prune."""
    row = await db.fetch_one("SELECT 1 FROM logout_tokens WHERE until <= ? LIMIT 1", (now,))
    return row is not None


async def prune(tx: Transaction, now: int) -> int:
    """Forget the tokens that are too old to be taken; return how many rows that were."""
    return await tx.execute("DELETE FROM logout_tokens WHERE until <= ?", (now,))
