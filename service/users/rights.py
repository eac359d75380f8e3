"""The right to change users and roles, and the rule that one user must always have it."""

from dataclasses import replace

from service.audit import Actor
from service.db import Transaction
from service.errors import LastManager, RoleMissing, TokenRevoked
from service.revocation import events
from service.tokens.claims import Claims
from service.users.names import MANAGE_USERS
from service.users.read import User, find_by_id

_MANAGER = """
SELECT 1 FROM roles r
JOIN user_roles ur ON ur.role_id = r.id
JOIN users u ON u.id = ur.user_id
WHERE r.role = ? AND u.disabled = 0 AND u.id <> ? LIMIT 1
"""
_NOBODY = 0
_CALLER = f"""
SELECT {events.IS_REVOKED} AS is_revoked, EXISTS (SELECT 1 FROM roles r
JOIN user_roles ur ON ur.role_id = r.id
JOIN users u ON u.id = ur.user_id
WHERE r.role = ? AND u.disabled = 0 AND u.id = ?) AS manages
"""  # noqa: S608  # constants


async def caller(tx: Transaction, by: Actor, claims: Claims) -> Actor:
    """Check in the transaction of a change that the caller's session is valid and manages users.

    A token says what was true a moment ago. Return `by` with what was read: in this transaction it
    is not read again. Raises TokenRevoked, RoleMissing.
    """
    row = await tx.fetch_one(
        _CALLER, (*events.is_revoked_parameters(claims), MANAGE_USERS, claims["id"])
    )
    if row is None or row["is_revoked"]:
        raise TokenRevoked
    if not row["manages"]:
        raise RoleMissing(MANAGE_USERS)
    return replace(by, manages=True)


async def require_manager(tx: Transaction, by: Actor) -> None:
    """Check in the transaction of a change that `by` has manage_users.

    Of two who demote each other, the second is late. Raises RoleMissing.
    """
    if by.id is None or by.manages:
        return
    actor = await find_by_id(tx, by.id)
    if actor is None or not manages(actor):
        raise RoleMissing(MANAGE_USERS)


async def require_a_manager_is_left(tx: Transaction) -> None:
    """Check after the removal of a manager that another one exists. Raises LastManager."""
    if await tx.fetch_one(_MANAGER, (MANAGE_USERS, _NOBODY)) is None:
        raise LastManager


async def is_last_manager(tx: Transaction, user: User) -> bool:
    """Return whether a user is the only one who can manage users."""
    return manages(user) and await tx.fetch_one(_MANAGER, (MANAGE_USERS, user["id"])) is None


def manages(user: User) -> bool:
    """Return whether a user can manage users."""
    return not user["disabled"] and any(role["role"] == MANAGE_USERS for role in user["roles"])
