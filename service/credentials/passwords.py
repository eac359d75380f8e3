"""Passwords: the rules for new ones (NIST SP 800-63B-4, 3.1.1.2), and the table of their hashes."""

import unicodedata

from service import audit
from service.audit import Actor
from service.credentials import common_passwords, links
from service.db import Database, Transaction
from service.users import User

MAX_LENGTH = 256
"""The maximum length of a password in characters."""
_SERVICE = "latchkey"


def normalize(password: str) -> str:
    """Return a password in NFC, so that it does not depend on the keyboard. Raises ValueError."""
    if len(password) <= MAX_LENGTH:  # normalizing takes time for longer ones
        password = unicodedata.normalize("NFC", password)
    if len(password) > MAX_LENGTH:
        raise ValueError(f"must have at most {MAX_LENGTH} characters")
    if any("\ud800" <= character <= "\udfff" for character in password):
        raise ValueError("contains half of a surrogate pair")
    return password


def new(password: str, *, least: int, username: str, site: str) -> str:
    """Return a new password, normalized. `site` is the host of the service. Raises ValueError."""
    password = normalize(password)
    if len(password) < least:
        raise ValueError(f"must have at least {least} characters")
    if common_passwords.is_common(password):
        raise ValueError("is a common password, which attackers try first; choose another")
    if common_passwords.is_built_from(password, [username, _SERVICE, *site.split(".")]):
        raise ValueError("is built from the user name or the name of this service; choose another")
    return password


async def find(db: Database | Transaction, user_id: int) -> str | None:
    """Return the PHC string of a user's password, or None."""
    row = await db.fetch_one("SELECT hash FROM passwords WHERE user_id = ?", (user_id,))
    return None if row is None else str(row["hash"])


async def save(tx: Transaction, by: Actor, user: User, phc: str) -> None:
    """Set the password of a user, and withdraw the user's links.

    The caller ends the user's other sessions.
    """
    await links.withdraw(tx, user["id"])
    await _write(tx, user["id"], phc)
    await audit.record(tx, by, "password_set", (user["id"], user["username"]))


async def save_again(tx: Transaction, user_id: int, before: str, phc: str) -> None:
    """Replace the hash of the same password, if it still has the hash `before`."""
    await tx.execute(
        "UPDATE passwords SET hash = ? WHERE user_id = ? AND hash = ?", (phc, user_id, before)
    )


async def delete(tx: Transaction, by: Actor, user: User) -> bool:
    """Delete the password of a user. Return whether there was one."""
    deleted = await tx.execute("DELETE FROM passwords WHERE user_id = ?", (user["id"],))
    if deleted:
        await audit.record(tx, by, "password_delete", (user["id"], user["username"]))
    return bool(deleted)


async def _write(tx: Transaction, user_id: int, phc: str) -> None:
    await tx.execute(
        "INSERT INTO passwords (user_id, hash, changed_at) VALUES (?, ?, ?)"
        " ON CONFLICT (user_id) DO UPDATE"
        " SET hash = excluded.hash, changed_at = excluded.changed_at",
        (user_id, phc, audit.now()),
    )
