"""Used logout tokens: each counts once, over all processes."""

from service.db import Database, Transaction


async def use_once(tx: Transaction, provider: str, jti: str, until: int) -> bool:
    """Mark a logout token as used until a time. Return whether it is new."""
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
    """Delete expired logout tokens. Return the number of rows."""
    return await tx.execute("DELETE FROM logout_tokens WHERE until <= ?", (now,))
