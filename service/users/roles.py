"""Create and delete roles."""

from service import audit
from service.audit import Actor
from service.db import ConstraintError, Transaction
from service.errors import LastManager, RoleTaken
from service.tokens.claims import Role
from service.users import rights
from service.users.names import MANAGE_USERS, normalize_role
from service.users.read import role_by_name
from service.users.update import touch_holders

_MANAGERS_LEFT = (
    "You cannot delete the role manage_users while an active user has it: no user could then manage"
    " users and roles."
)


async def create_role(tx: Transaction, by: Actor, role: str) -> Role:
    """Create a role and return `{"id", "role"}`. Raises InvalidName, RoleTaken, RoleMissing."""
    await rights.require_manager(tx, by)
    try:
        await tx.execute("INSERT INTO roles (role) VALUES (?)", (normalize_role(role),))
    except ConstraintError:
        raise RoleTaken(f"The role {role} already exists.") from None
    created = await role_by_name(tx, role)
    await audit.record(tx, by, "role_create", (created["id"], role))
    return created


async def delete_role(tx: Transaction, by: Actor, role: str) -> None:
    """Delete a role and revoke it from all users.

    Raises RoleNotFound, RoleMissing, and LastManager if an active user has manage_users by it.
    """
    await rights.require_manager(tx, by)
    found = await role_by_name(tx, role)
    holders = await tx.fetch_all(
        "SELECT disabled, count(*) AS number FROM users"
        " WHERE id IN (SELECT user_id FROM user_roles WHERE role_id = ?) GROUP BY disabled",
        (found["id"],),
    )
    if role == MANAGE_USERS and any(not each["disabled"] for each in holders):
        raise LastManager(_MANAGERS_LEFT)
    await touch_holders(tx, found["id"])
    await tx.execute("DELETE FROM roles WHERE id = ?", (found["id"],))
    count = sum(each["number"] for each in holders)
    await audit.record(tx, by, "role_delete", (found["id"], role), {"holders": count})
