"""Whose account it is: identities, accounts at providers, and the users whom they sign in.

An identity is a provider's name and the subject: what the provider calls the account, letter for
letter. It is never matched with a user by a name or an e-mail address.
"""

import json
from collections.abc import Collection
from typing import Any, TypedDict, cast

from service import audit, users
from service.audit import Actor
from service.config import RoleRule
from service.db import ConstraintError, Database, Transaction
from service.errors import IdentityNotFound, IdentityTaken
from service.providers import sessions
from service.providers.claim_values import Unreadable
from service.users import User, rights

_BY_PROVIDER = "provider:"


class Identity(TypedDict):
    """An account at a provider that signs a user in, and when it was linked (RFC 3339, UTC)."""

    provider: str
    subject: str
    created_at: str


async def by_identity(db: Database | Transaction, provider: str, subject: str) -> User | None:
    """Read the user whom an identity signs in."""
    row = await db.fetch_one(
        "SELECT user_id FROM identities WHERE provider = ? AND subject = ?", (provider, subject)
    )
    return None if row is None else await users.find_by_id(db, row["user_id"])


async def of_user(db: Database | Transaction, user_id: int) -> list[Identity]:
    """Read the identities of a user."""
    rows = await db.fetch_all(
        "SELECT provider, subject, created_at FROM identities WHERE user_id = ?"
        " ORDER BY provider, subject",
        (user_id,),
    )
    return cast("list[Identity]", rows)


def actor_name(provider: str) -> str:
    """Return what the audit calls a provider: no administrator and no command is called so."""
    return _BY_PROVIDER + provider


async def other_namers(db: Database | Transaction, user: User, provider: str) -> list[str]:
    """Return the providers besides `provider` that chose a user's name, or may have chosen it.

    They created the user, as the audit tells, or sign it in by a link that no administrator made.
    """
    rows = await db.fetch_all(
        "SELECT action, actor, detail FROM audit WHERE target_id = ?"
        " AND action IN ('user_create', 'identity_link')",
        (user["id"],),
    )
    namers, by_hand = set(), set()
    for row in rows:
        is_provider = row["actor"].startswith(_BY_PROVIDER)
        if is_provider and row["action"] == "user_create":
            namers.add(row["actor"].removeprefix(_BY_PROVIDER))
        elif not is_provider and row["action"] == "identity_link":
            detail = json.loads(row["detail"])
            by_hand.add((detail["provider"], detail["subject"]))
    for identity in await of_user(db, user["id"]):
        if (identity["provider"], identity["subject"]) not in by_hand:
            namers.add(identity["provider"])
    return sorted(namers - {provider})


async def link(tx: Transaction, by: Actor, user: User, provider: str, subject: str) -> bool:
    """Let an identity sign a user in; return whether that was a change.

    Raises Fault (no name, no subject), RoleMissing, and IdentityTaken if it is another user's.
    """
    await rights.require_manager(tx, by)
    provider, subject = users.normalize_provider(provider), users.normalize_subject(subject)
    owner = await by_identity(tx, provider, subject)
    if owner is not None and owner["id"] == user["id"]:
        return False
    try:
        await tx.execute(
            "INSERT INTO identities (provider, subject, user_id, created_at) VALUES (?, ?, ?, ?)",
            (provider, subject, user["id"], audit.now()),
        )
    except ConstraintError:
        raise IdentityTaken from None
    await _record(tx, by, "identity_link", user, provider, subject)
    return True


async def unlink(tx: Transaction, by: Actor, user: User, provider: str, subject: str) -> None:
    """Let an identity sign a user in no longer, and end the sessions that it opened.

    Raises Fault (no name, no subject), RoleMissing, IdentityNotFound.
    """
    await rights.require_manager(tx, by)
    provider, subject = users.normalize_provider(provider), users.normalize_subject(subject)
    deleted = await tx.execute(
        "DELETE FROM identities WHERE provider = ? AND subject = ? AND user_id = ?",
        (provider, subject, user["id"]),
    )
    if not deleted:
        raise IdentityNotFound
    await sessions.end(tx, provider, subject=subject)
    await _record(tx, by, "identity_unlink", user, provider, subject)


async def provision(
    tx: Transaction, by: Actor, provider: str, subject: str, username: str, **facts: Any
) -> User:
    """Return the user of an identity, who is created if nobody has it.

    `facts` are those of users.create. A name that somebody has is not taken over. Raises
    UsernameTaken, UsernameInvalid.
    """
    owner = await by_identity(tx, provider, subject)
    if owner is not None:
        return owner
    created = await users.create(tx, by, username, **facts)
    await link(tx, by, created, provider, subject)
    return created


async def is_email_taken(tx: Transaction, email: str) -> bool:
    """Tell whether a user has an e-mail address, in any case of its letters."""
    row = await tx.fetch_one("SELECT 1 FROM users WHERE lower(email) = lower(?) LIMIT 1", (email,))
    return row is not None


async def follow_roles(
    tx: Transaction,
    by: Actor,
    user: User,
    rules: Collection[RoleRule],
    values: Collection[str] | Unreadable,
) -> tuple[User, bool]:
    """Give and take the roles that `rules` speak of, as a provider's `values` say; others stay.

    Where the values are unreadable, or only some of them could be read, no role is taken. A role
    that does not exist is not given, and the last one who can manage users keeps that role. `user`
    is as it was read in this transaction; return it as it is now, and whether that role was kept
    so.
    """
    known = await users.role_ids(tx)
    ruled = {rule.role for rule in rules} & known.keys()
    told = values.partial if isinstance(values, Unreadable) else values
    wanted = {rule.role for rule in rules if rule.value in told} & known.keys()
    held = {role["role"] for role in user["roles"]}
    if isinstance(values, Unreadable):
        wanted |= held & ruled
    is_kept = users.MANAGE_USERS in ruled - wanted and await rights.is_last_manager(tx, user)
    kept = {users.MANAGE_USERS} if is_kept else set()
    now = await users.update(tx, by, user, {"roles": sorted((held - ruled) | wanted | kept)})
    return now, is_kept


async def _record(
    tx: Transaction, by: Actor, action: audit.Action, user: User, provider: str, subject: str
) -> None:
    detail = {"provider": provider, "subject": subject}
    await audit.record(tx, by, action, (user["id"], user["username"]), detail)
