"""One-time codes (RFC 6238): 6 digits, 30 seconds, one step of tolerance, each code once."""

import base64
import importlib
import secrets
import unicodedata
from hmac import compare_digest
from typing import TYPE_CHECKING, NamedTuple

from service import audit
from service.audit import Actor
from service.credentials import recovery_codes
from service.db import NOW, Database, Transaction
from service.users import User

if TYPE_CHECKING:
    import pyotp

MAX_LENGTH = 64
"""The maximum length of a code as it is typed: a recovery code with spaces."""
SETUP_SECONDS = 600
"""How long a set-up can be confirmed."""
_DIGITS, _STEP, _TOLERANCE = 6, 30, 1
_SECRET_BYTES = 20  # as RFC 4226 recommends
_ISSUER = "Latchkey"


class Setup(NamedTuple):
    """A set-up that no code has confirmed yet. `uri` is that of the QR code."""

    secret: str
    uri: str


class State(NamedTuple):
    """When a user has set up one-time codes (RFC 3339), and how many recovery codes are left."""

    created_at: str
    recovery_codes: int


def normalize(code: str) -> str:
    """Return a code without spaces, with ASCII digits."""
    return "".join(unicodedata.normalize("NFKC", code[:MAX_LENGTH]).split())


async def find(db: Database | Transaction, user_id: int) -> State | None:
    """Return the state of a user's one-time codes, or None."""
    row = await db.fetch_one("SELECT created_at FROM totp WHERE user_id = ?", (user_id,))
    if row is None:
        return None
    return State(row["created_at"], await recovery_codes.count(db, user_id))


async def start(tx: Transaction, user: User, *, site: str) -> Setup:
    """Start a set-up, in place of an earlier one. Codes that are in use stay so until `confirm`.

    `site` is the host of the service, as it is shown in authenticator apps.
    """
    secret = base64.b32encode(secrets.token_bytes(_SECRET_BYTES)).decode()
    await tx.execute(
        "INSERT INTO totp_setups (user_id, secret, expires_at)"  # noqa: S608  # a constant
        f" VALUES (?, ?, {NOW[tx.kind]} + {SETUP_SECONDS}) ON CONFLICT (user_id) DO UPDATE"
        " SET secret = excluded.secret, expires_at = excluded.expires_at",
        (user["id"], secret),
    )
    return _setup(secret, user["username"], site)


async def setup(
    db: Database | Transaction, user_id: int, username: str, *, site: str
) -> Setup | None:
    """Return the set-up that a user has started, or None."""
    row = await db.fetch_one(
        f"SELECT secret FROM totp_setups WHERE user_id = ? AND expires_at > {NOW[db.kind]}",  # noqa: S608  # a constant
        (user_id,),
    )
    return None if row is None else _setup(row["secret"], username, site)


async def confirm(
    tx: Transaction, by: Actor, user: User, started: Setup, *, code: str, now: int
) -> list[str] | None:
    """Use the codes of a set-up from now on. Return new recovery codes, or None for a wrong code.

    `now` is in seconds since 1970. The code counts as used.
    """
    step = _matching_step(started.secret, code, now, after=-1)
    if step is None:
        return None
    await tx.execute("DELETE FROM totp_setups WHERE user_id = ?", (user["id"],))
    await tx.execute(
        "INSERT INTO totp (user_id, secret, last_step, created_at) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (user_id) DO UPDATE SET secret = excluded.secret,"
        " last_step = excluded.last_step, created_at = excluded.created_at",
        (user["id"], started.secret, step, audit.now()),
    )
    codes = await recovery_codes.replace(tx, user["id"])
    await audit.record(tx, by, "totp_set", (user["id"], user["username"]))
    return codes


async def use(tx: Transaction, by: Actor, user: User, code: str, *, now: int) -> bool:
    """Use up a one-time code or a recovery code of a user. Return whether it is a valid one."""
    row = await tx.fetch_one("SELECT secret, last_step FROM totp WHERE user_id = ?", (user["id"],))
    if row is None:
        return False
    step = _matching_step(row["secret"], code, now, after=row["last_step"])
    if step is not None:
        used = await tx.execute(
            "UPDATE totp SET last_step = ? WHERE user_id = ? AND last_step < ?",
            (step, user["id"], step),
        )
        return bool(used)
    if not await recovery_codes.use(tx, user["id"], code):
        return False
    left = await recovery_codes.count(tx, user["id"])
    target = (user["id"], user["username"])
    await audit.record(tx, by, "recovery_code_use", target, {"left": left})
    return True


async def delete(tx: Transaction, by: Actor, user: User) -> bool:
    """Delete the one-time codes of a user, also a set-up. Return whether codes were in use."""
    await tx.execute("DELETE FROM totp_setups WHERE user_id = ?", (user["id"],))
    await recovery_codes.delete_all(tx, user["id"])
    deleted = await tx.execute("DELETE FROM totp WHERE user_id = ?", (user["id"],))
    if deleted:
        await audit.record(tx, by, "totp_delete", (user["id"], user["username"]))
    return bool(deleted)


async def has_dead(db: Database, _now: int) -> bool:
    """Return whether there are set-ups to prune, by the database's clock."""
    row = await db.fetch_one(
        f"SELECT 1 FROM totp_setups WHERE expires_at <= {NOW[db.kind]} LIMIT 1"  # noqa: S608  # a constant
    )
    return row is not None


async def prune(tx: Transaction, _now: int) -> int:
    """Delete old set-ups. Return the number of rows."""
    return await tx.execute(f"DELETE FROM totp_setups WHERE expires_at <= {NOW[tx.kind]}")  # noqa: S608  # a constant


def _setup(secret: str, username: str, site: str) -> Setup:
    issuer = f"{_ISSUER} {site}".replace(":", "-")  # a colon ends it
    return Setup(secret, _totp(secret).provisioning_uri(name=username, issuer_name=issuer))


def _matching_step(secret: str, code: str, now: int, *, after: int) -> int | None:
    """Return the step of a code within the tolerance and later than `after`, or None."""
    if len(code) != _DIGITS or not (code.isascii() and code.isdigit()):
        return None
    totp, current = _totp(secret), now // _STEP
    matching = [
        step
        for step in range(current - _TOLERANCE, current + _TOLERANCE + 1)
        if step > after and compare_digest(totp.generate_otp(step), code)
    ]
    return matching[0] if matching else None


def _totp(secret: str) -> "pyotp.TOTP":
    """Return the generator of a secret. The library is loaded at the first use."""
    library = importlib.import_module("pyotp")
    totp: pyotp.TOTP = library.TOTP(secret, digits=_DIGITS, interval=_STEP)
    return totp
