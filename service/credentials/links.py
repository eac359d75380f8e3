"""Links that set a password or passkey without a sign-in: one table, and one way to use them.

The database has only the SHA-256 of a link's secret. A link counts while the manager who made it
can manage users, and while its user is enabled.
"""

import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from service import audit, users
from service.audit import Actor
from service.db import NOW, Database, Row, Transaction
from service.errors import LinkInvalid, UserDisabled
from service.parsing import dates
from service.users import User, rights

Purpose = Literal["claim", "invite", "reset", "open"]
"""`claim` makes the first manager, `open` new users; the others are for an existing user."""
SECONDS: dict[Purpose, int] = {"claim": 1800, "invite": 259_200, "reset": 3600, "open": 259_200}
"""How long a link counts. For open invitations, the default."""
PATH = "/auth/links/"

_BYTES = 32
_SECRET = re.compile(f"[0-9a-f]{{{2 * _BYTES}}}", re.ASCII)

_MANAGER = """
EXISTS (SELECT 1 FROM user_roles ur JOIN roles r ON r.id = ur.role_id
 JOIN users m ON m.id = ur.user_id
 WHERE r.role = 'manage_users' AND m.disabled = 0{condition})
"""
_IS_VALID = (
    "links.used < links.uses AND links.expires_at > {now}"
    " AND (links.user_id IS NULL"
    " OR EXISTS (SELECT 1 FROM users u WHERE u.id = links.user_id AND u.disabled = 0))"
    " AND (links.created_by IS NULL OR {is_author})"
    " AND (links.purpose <> 'claim' OR NOT {exists})"
)


class NewLink(NamedTuple):
    """A new link. Its secret is not stored: show it once. `expires_at` is RFC 3339, UTC."""

    id: int
    secret: str
    expires_at: str

    def url(self, site: str) -> str:
        """Return the address of the link. `site` is PUBLIC_URL."""
        return f"{site}{PATH}{self.secret}"


@dataclass(frozen=True, slots=True)
class Link:
    """A valid link. `user` is the user of an invite or a reset."""

    id: int
    purpose: Purpose
    user: User | None


def is_valid(db: Database | Transaction) -> str:
    """Return the SQL condition that a row of `links` counts."""
    return _IS_VALID.format(
        now=NOW[db.kind],
        is_author=_MANAGER.format(condition=" AND m.id = links.created_by"),
        exists=_MANAGER.format(condition=""),
    )


async def create(tx: Transaction, by: Actor, purpose: Purpose, user: User) -> NewLink:
    """Make an invite or a reset for a user. A reset withdraws the user's earlier links.

    `user` must have been read in this transaction. Raises RoleMissing, UserDisabled.
    """
    await rights.require_manager(tx, by)
    if user["disabled"]:
        raise UserDisabled
    if purpose == "reset":
        await withdraw(tx, user["id"])
    made = await insert(tx, by, purpose, user_id=user["id"])
    detail = {"purpose": purpose, "expires_at": made.expires_at}
    await audit.record(tx, by, "link_create", (user["id"], user["username"]), detail)
    return made


async def create_claim(tx: Transaction, by: Actor) -> NewLink | None:
    """Make a link for the first manager, or return None if an active user manages users."""
    if await has_manager(tx):
        return None
    made = await insert(tx, by, "claim")
    detail = {"purpose": "claim", "expires_at": made.expires_at}
    await audit.record(tx, by, "link_create", (None, "claim"), detail)
    return made


async def has_manager(db: Database | Transaction) -> bool:
    """Return whether an active user manages users: claim links count until then."""
    row = await db.fetch_one(f"SELECT 1 AS yes WHERE {_MANAGER.format(condition='')}")
    return row is not None


async def insert(
    tx: Transaction,
    by: Actor,
    purpose: Purpose,
    *,
    user_id: int | None = None,
    uses: int = 1,
    seconds: int | None = None,
) -> NewLink:
    """Add a row with a new secret."""
    secret = secrets.token_hex(_BYTES)
    row = await tx.fetch_one(
        "INSERT INTO links (hash, purpose, user_id, created_by, created_at, expires_at, uses, used)"  # noqa: S608  # a constant
        f" VALUES (?, ?, ?, ?, ?, {NOW[tx.kind]} + ?, ?, 0) RETURNING id, expires_at",
        (
            _hash(secret),
            purpose,
            user_id,
            by.id,
            audit.now(),
            SECONDS[purpose] if seconds is None else seconds,
            uses,
        ),
    )
    assert row is not None  # noqa: S101  # RETURNING
    return NewLink(row["id"], secret, dates.rfc3339(row["expires_at"]))


async def find(db: Database | Transaction, secret: str) -> Link:
    """Return a valid link. Changes nothing. Raises LinkInvalid for all others alike."""
    row = await db.fetch_one(
        f"SELECT id, purpose, user_id FROM links WHERE hash = ? AND {is_valid(db)}",  # noqa: S608  # a constant
        (_hash(secret),),
    )
    return await _link(db, row)


async def use(tx: Transaction, secret: str) -> Link:
    """Count one use of a link and return it. Raises LinkInvalid.

    One conditional UPDATE, so of several requests for the last use only one succeeds. If the
    transaction fails later, the link is as it was.
    """
    row = await tx.fetch_one(
        f"UPDATE links SET used = used + 1 WHERE hash = ? AND {is_valid(tx)}"  # noqa: S608  # a constant
        " RETURNING id, purpose, user_id",
        (_hash(secret),),
    )
    return await _link(tx, row)


async def record_use(tx: Transaction, by: Actor, link: Link, user: User) -> None:
    """Record that a user has used a link."""
    detail = {"purpose": link.purpose, "link": link.id}
    await audit.record(tx, by, "link_use", (user["id"], user["username"]), detail)


async def withdraw(tx: Transaction, user_id: int) -> int:
    """Withdraw all links of a user, as after a new password. Return their number."""
    return await tx.execute("DELETE FROM links WHERE user_id = ?", (user_id,))


async def withdraw_claims(tx: Transaction) -> int:
    """Withdraw all links for the first manager. Return their number."""
    return await tx.execute("DELETE FROM links WHERE purpose = 'claim'")


async def role_names(db: Database | Transaction, link_ids: Sequence[int]) -> dict[int, list[str]]:
    """Return the names of the roles that links grant, by the ID of the link."""
    names: dict[int, list[str]] = {link_id: [] for link_id in link_ids}
    if names:
        places = ", ".join("?" * len(names))
        for row in await db.fetch_all(
            "SELECT l.link_id, r.role FROM link_roles l JOIN roles r ON r.id = l.role_id"  # noqa: S608  # only marks
            f" WHERE l.link_id IN ({places}) ORDER BY r.id",
            list(names),
        ):
            names[row["link_id"]].append(row["role"])
    return names


async def roles_of(db: Database | Transaction, link: Link) -> list[str]:
    """Return the names of the roles that a link grants."""
    return (await role_names(db, [link.id]))[link.id]


async def has_dead(db: Database, _now: int) -> bool:
    """Return whether there are links to prune, by the database's clock."""
    row = await db.fetch_one(f"SELECT 1 FROM links WHERE expires_at <= {NOW[db.kind]} LIMIT 1")  # noqa: S608  # a constant
    return row is not None


async def prune(tx: Transaction, _now: int) -> int:
    """Delete expired links. Return their number."""
    return await tx.execute(f"DELETE FROM links WHERE expires_at <= {NOW[tx.kind]}")  # noqa: S608  # a constant


def _hash(secret: str) -> str:
    """Return the hash of a secret; of a text that is no secret, one that no link has."""
    return hashlib.sha256(secret.encode()).hexdigest() if _SECRET.fullmatch(secret) else ""


async def _link(db: Database | Transaction, row: Row | None) -> Link:
    if row is None:
        raise LinkInvalid
    user = None if row["user_id"] is None else await users.find_by_id(db, row["user_id"])
    return Link(row["id"], row["purpose"], user)
