"""Recovery codes: each works once in place of a one-time code."""

import hashlib
import secrets

from service.db import Database, Transaction, bulk_insert

NUMBER = 10
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # without i, l, o, 0, 1
_LENGTH = 28  # 138 bits, so a fast hash is enough
_GROUP = 4


async def replace(tx: Transaction, user_id: int) -> list[str]:
    """Replace the recovery codes of a user. Return the new ones, which are not stored."""
    codes = [_new() for _ in range(NUMBER)]
    await delete_all(tx, user_id)
    rows = [(user_id, _hash(code)) for code in codes]
    for statement, values in bulk_insert.many("recovery_codes", ("user_id", "hash"), rows):
        await tx.execute(statement, values)
    return codes


async def use(tx: Transaction, user_id: int, code: str) -> bool:
    """Delete a recovery code. Return whether the user had it. Case, `-` and spaces do not count."""
    return bool(
        await tx.execute(
            "DELETE FROM recovery_codes WHERE user_id = ? AND hash = ?", (user_id, _hash(code))
        )
    )


async def delete_all(tx: Transaction, user_id: int) -> None:
    """Delete all recovery codes of a user."""
    await tx.execute("DELETE FROM recovery_codes WHERE user_id = ?", (user_id,))


async def count(db: Database | Transaction, user_id: int) -> int:
    """Return how many recovery codes a user has left."""
    row = await db.fetch_one(
        "SELECT count(*) AS n FROM recovery_codes WHERE user_id = ?", (user_id,)
    )
    return int(row["n"]) if row else 0


def _new() -> str:
    text = "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
    return "-".join(text[start : start + _GROUP] for start in range(0, _LENGTH, _GROUP))


def _hash(code: str) -> str:
    text = "".join(code.casefold().replace("-", "").split())
    return hashlib.sha256(text.encode()).hexdigest()
