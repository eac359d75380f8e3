"""Passkeys: the table of public keys, and their use."""

from dataclasses import dataclass
from typing import Any, TypedDict, cast

from service import audit
from service.audit import Actor
from service.credentials import authenticators
from service.db import ConstraintError, Database, Transaction
from service.users import User

MOST = 32
"""The maximum number of passkeys of a user."""
MAX_NAME = 64
"""The maximum length of a name in characters."""

_COLUMNS = (
    "id, user_id, user_handle, credential_id, public_key, sign_count, backup_eligible, backed_up,"
    " aaguid, transports, name, created_at, last_used_at"
)


class Passkey(TypedDict):
    """A row. IDs, keys and handles are base64url, times RFC 3339, flags 0 or 1."""

    id: int
    user_id: int
    user_handle: str
    credential_id: str
    public_key: str
    sign_count: int
    backup_eligible: int
    backed_up: int
    aaguid: str
    transports: str
    name: str
    created_at: str
    last_used_at: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPasskey:
    """A passkey that an authenticator has made, verified and not stored yet."""

    user_handle: str
    credential_id: str
    public_key: str
    sign_count: int
    backup_eligible: bool
    backed_up: bool
    aaguid: str
    transports: tuple[str, ...]


class NotAdded(Exception):
    """A passkey that cannot be stored. Its text is the reason."""


async def find(db: Database | Transaction, credential_id: str) -> Passkey | None:
    """Return the passkey with a credential ID, or None."""
    row = await db.fetch_one(
        f"SELECT {_COLUMNS} FROM passkeys WHERE credential_id = ?",  # noqa: S608  # constants
        (credential_id,),
    )
    return cast("Passkey | None", row)


async def of_user(db: Database | Transaction, user_id: int) -> list[Passkey]:
    """Return the passkeys of a user, the oldest first."""
    rows = await db.fetch_all(
        f"SELECT {_COLUMNS} FROM passkeys WHERE user_id = ? ORDER BY id",  # noqa: S608  # constants
        (user_id,),
    )
    return cast("list[Passkey]", rows)


async def find_own(db: Database | Transaction, user_id: int, passkey_id: int) -> Passkey | None:
    """Return a passkey of a user by its ID, or None."""
    row = await db.fetch_one(
        f"SELECT {_COLUMNS} FROM passkeys WHERE id = ? AND user_id = ?",  # noqa: S608  # constants
        (passkey_id, user_id),
    )
    return cast("Passkey | None", row)


def shown(passkey: Passkey) -> dict[str, Any]:
    """Return what the owner sees of a passkey."""
    seen: dict[str, Any] = dict(passkey)
    return {name: seen[name] for name in ("id", "name", "created_at", "last_used_at")}


async def add(
    tx: Transaction, by: Actor, user: User, new: NewPasskey, *, name: str | None = None
) -> Passkey:
    """Add a passkey to a user. Without a name, it gets that of its authenticator.

    Raises NotAdded.
    """
    if len(await of_user(tx, user["id"])) >= MOST:
        raise NotAdded(f"There are {MOST} passkeys, the maximum. Remove one first.")
    row: dict[str, Any] = {
        "user_id": user["id"],
        "user_handle": new.user_handle,
        "credential_id": new.credential_id,
        "public_key": new.public_key,
        "sign_count": new.sign_count,
        "backup_eligible": int(new.backup_eligible),
        "backed_up": int(new.backed_up),
        "aaguid": new.aaguid,
        "transports": " ".join(new.transports),
        "name": name or authenticators.name_of(new.aaguid),
        "created_at": audit.now(),
    }
    try:
        await tx.execute(
            f"INSERT INTO passkeys ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})",  # noqa: S608  # constants
            tuple(row.values()),
        )
    except ConstraintError:
        raise NotAdded("This passkey is registered already.") from None
    added = await find(tx, new.credential_id)
    if added is None:
        raise NotAdded("This passkey could not be stored.")
    await _record(tx, by, "passkey_add", user, added)
    return added


async def rename(tx: Transaction, by: Actor, user: User, passkey: Passkey, name: str) -> Passkey:
    """Rename a passkey. The same name is no change."""
    if name == passkey["name"]:
        return passkey
    await tx.execute("UPDATE passkeys SET name = ? WHERE id = ?", (name, passkey["id"]))
    renamed: Passkey = {**passkey, "name": name}
    await _record(tx, by, "passkey_rename", user, renamed, before=passkey["name"])
    return renamed


async def delete(tx: Transaction, by: Actor, user: User, passkey: Passkey) -> None:
    """Delete a passkey."""
    await tx.execute("DELETE FROM passkeys WHERE id = ?", (passkey["id"],))
    await _record(tx, by, "passkey_delete", user, passkey)


async def use(
    tx: Transaction, by: Actor, user: User, passkey: Passkey, *, sign_count: int, backed_up: bool
) -> bool:
    """Record the use of a passkey. Return whether its signature counter has gone up.

    If both counters are 0, the authenticator has none. One that does not go up is a sign of a copy
    of the key (WebAuthn Level 3, 6.1.1): it is recorded in the audit, and the use must be refused.
    `passkey` must have been read in this transaction.
    """
    stored = passkey["sign_count"]
    if (sign_count or stored) and sign_count <= stored:
        await _record(tx, by, "passkey_refuse", user, passkey, stored=stored, received=sign_count)
        return False
    await tx.execute(
        "UPDATE passkeys SET sign_count = ?, backed_up = ?, last_used_at = ? WHERE id = ?",
        (sign_count, int(backed_up), audit.now(), passkey["id"]),
    )
    return True


async def _record(
    tx: Transaction,
    by: Actor,
    action: audit.Action,
    user: User,
    passkey: Passkey,
    **detail: object,
) -> None:
    about = {"id": passkey["id"], "passkey": passkey["name"], **detail}
    await audit.record(tx, by, action, (user["id"], user["username"]), about)
