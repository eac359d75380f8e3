"""Identities: accounts at providers that are linked to users.

An identity is the name of a provider and the exact subject of an account there. It is never matched
with a user by name or e-mail address.
"""

import json
from collections.abc import Collection
from typing import Any, NamedTuple, TypedDict, cast

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


class FollowedRoles(NamedTuple):
    """A user whose roles follow a provider.

    `is_kept`: the last user with manage_users kept the role. `missing` are the roles to grant that
    do not exist.
    """

    user: User
    is_kept: bool
    missing: frozenset[str]


async def by_identity(db: Database | Transaction, provider: str, subject: str) -> User | None:
    """Return the user of an identity, or None."""
    row = await db.fetch_one(
        "SELECT user_id FROM identities WHERE provider = ? AND subject = ?", (provider, subject)
    )
    return None if row is None else await users.find_by_id(db, row["user_id"])


async def of_user(db: Database | Transaction, user_id: int) -> list[Identity]:
    """Return the identities of a user, `{"provider", "subject", "created_at"}`."""
    rows = await db.fetch_all(
        "SELECT provider, subject, created_at FROM identities WHERE user_id = ?"
        " ORDER BY provider, subject",
        (user_id,),
    )
    return cast("list[Identity]", rows)


def actor_name(provider: str) -> str:
    """Return the actor name of a provider in the audit log, unlike any user or command."""
    return _BY_PROVIDER + provider


async def other_namers(db: Database | Transaction, user: User, provider: str) -> list[str]:
    """Return the providers other than `provider` that may have chosen a user's name.

    They created the user, by the audit log, or have a link that no administrator created.
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


async def has_created(db: Database | Transaction, user: User, provider: str, subject: str) -> bool:
    """Return whether this account created the user, by the audit log.

    A provider links an account only when it creates the user.
    """
    rows = await db.fetch_all(
        "SELECT detail FROM audit WHERE target_id = ? AND action = 'identity_link' AND actor = ?",
        (user["id"], actor_name(provider)),
    )
    return any(json.loads(row["detail"])["subject"] == subject for row in rows)


async def link(tx: Transaction, by: Actor, user: User, provider: str, subject: str) -> bool:
    """Link an identity to a user. Return whether it is new.

    Raises InvalidName, RoleMissing, and IdentityTaken if it is linked already.
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
    """Unlink an identity from a user and end its sessions.

    Raises InvalidName, RoleMissing, IdentityNotFound.
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
    """Return the user of an identity. Create the user if it does not exist.

    `facts` are those of users.create. Does not link to an existing user with the name. Raises
    UsernameTaken, InvalidName.
    """
    owner = await by_identity(tx, provider, subject)
    if owner is not None:
        return owner
    created = await users.create(tx, by, username, **facts)
    await link(tx, by, created, provider, subject)
    return created


async def follow_roles(
    tx: Transaction,
    by: Actor,
    user: User,
    rules: Collection[RoleRule],
    values: Collection[str] | Unreadable,
) -> FollowedRoles:
    """Grant and revoke the roles in `rules` by the provider's `values`. Other roles stay unchanged.

    Revokes no role if the values are unreadable or incomplete. Skips roles that do not exist. The
    last user with manage_users keeps it. `user` must have been read in this transaction.
    """
    known = await users.role_ids(tx)
    ruled = {rule.role for rule in rules} & known.keys()
    readable = values.partial if isinstance(values, Unreadable) else values
    granted = {rule.role for rule in rules if rule.value in readable}
    wanted = granted & known.keys()
    held = {role["role"] for role in user["roles"]}
    if isinstance(values, Unreadable):
        wanted |= held & ruled
    is_kept = users.MANAGE_USERS in ruled - wanted and await rights.is_last_manager(tx, user)
    kept = {users.MANAGE_USERS} if is_kept else set()
    now = await users.update(tx, by, user, {"roles": sorted((held - ruled) | wanted | kept)})
    return FollowedRoles(now, is_kept, frozenset(granted - known.keys()))


async def _record(
    tx: Transaction, by: Actor, action: audit.Action, user: User, provider: str, subject: str
) -> None:
    detail = {"provider": provider, "subject": subject}
    await audit.record(tx, by, action, (user["id"], user["username"]), detail)
