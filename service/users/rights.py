"""The right to change users and roles, and the rule that one user must always have it."""

from service.audit import Actor
from service.db import Transaction
from service.errors import LastManager, RoleMissing
from service.users.names import MANAGE_USERS
from service.users.read import User, find_by_id

_MANAGER = """
SELECT 1 FROM roles r
JOIN user_roles ur ON ur.role_id = r.id
JOIN users u ON u.id = ur.user_id
WHERE r.role = ? AND u.disabled = 0 AND u.id <> ? LIMIT 1
"""
_NOBODY = 0


async def require_manager(tx: Transaction, by: Actor) -> None:
    """Check in the transaction of a change that `by` has manage_users.

    The token may be outdated, for example if two managers demote each other. Raises RoleMissing.
    """
    if by.id is None:
        return
    actor = await find_by_id(tx, by.id)
    if actor is None or not manages(actor):
        raise RoleMissing


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
