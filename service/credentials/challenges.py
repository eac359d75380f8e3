"""Challenges of WebAuthn: valid for five minutes, and each counts once, over all replicas.

A challenge is an encrypted value of ours, so that strangers who ask for one store nothing. Its use
is a row.
"""

import hashlib
import secrets
from typing import NamedTuple

from service.db import NOW, Database, Transaction
from service.parsing import base64url
from service.tokens.encrypted import EncryptedValues

SECONDS = 300
"""How long a challenge is valid."""
_KEPT_SECONDS = 3600
"""How long a use is stored: longer than a challenge is valid by any clock that is accepted."""
_PURPOSE = "WebAuthn challenge"


class Challenge(NamedTuple):
    """A valid challenge. `subject` says who may use it for what, `user_handle` is of a new key."""

    text: str
    subject: str
    user_handle: str


def new(values: EncryptedValues, subject: str, *, user_handle: str = "") -> str:
    """Return a new challenge as base64url."""
    about = {"subject": subject, "user_handle": user_handle, "nonce": secrets.token_urlsafe(16)}
    return values.encrypt(_PURPOSE, about)


def read(values: EncryptedValues, text: str, subject: str) -> Challenge | None:
    """Return a challenge that is for this subject and not older than five minutes, or None."""
    try:
        base64url.decode(text.encode())  # another spelling would be another challenge
    except ValueError:
        return None
    found = values.decrypt(_PURPOSE, text, max_age=SECONDS)
    if found is None or found["subject"] != subject:
        return None
    return Challenge(text, subject, found["user_handle"])


async def use_once(tx: Transaction, challenge: Challenge) -> bool:
    """Mark a challenge as used. Return whether it was not used before."""
    digest = hashlib.sha256(base64url.decode(challenge.text.encode())).hexdigest()
    added = await tx.execute(
        "INSERT INTO used_challenges (hash, until)"  # noqa: S608  # a constant
        f" VALUES (?, {NOW[tx.kind]} + {_KEPT_SECONDS}) ON CONFLICT DO NOTHING",
        (digest,),
    )
    return added == 1


async def has_dead(db: Database, _now: int) -> bool:
    """Return whether there are rows to prune, by the database's clock."""
    row = await db.fetch_one(f"SELECT 1 FROM used_challenges WHERE until <= {NOW[db.kind]} LIMIT 1")  # noqa: S608  # a constant
    return row is not None


async def prune(tx: Transaction, _now: int) -> int:
    """Delete the uses of challenges that have expired. Return the number of rows."""
    return await tx.execute(f"DELETE FROM used_challenges WHERE until <= {NOW[tx.kind]}")  # noqa: S608  # a constant
