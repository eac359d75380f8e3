"""Users and roles: their SQL, and the plain dicts that it becomes.

A user is `{"id", "username", "disabled", "version", "created_at", "updated_at", "roles"}`; its
roles are `[{"id", "role"}, …]`, in the order of their ids. Times are RFC 3339, UTC. Whatever
changes a user counts its `version` up, in the same transaction.
"""

import re
from datetime import UTC, datetime
from typing import Any

from service.db import Conflict, Database, Row, Transaction
from service.errors import Fault, UsernameInvalid

User = dict[str, Any]

_USERNAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}", re.ASCII)
_ROLE = re.compile(r"[a-z0-9][a-z0-9._:-]{0,63}", re.ASCII)

_SELECT = """
SELECT u.id, u.username, u.disabled, u.version, u.created_at, u.updated_at,
       r.id AS role_id, r.role
FROM users u
LEFT JOIN user_roles ur ON ur.user_id = u.id
LEFT JOIN roles r ON r.id = ur.role_id
"""
_BY_USERNAME = _SELECT + "WHERE u.username = ? ORDER BY r.id"
_ALL = _SELECT + "ORDER BY u.username, r.id"


class UserNotFound(Fault):
    """There is no user of that name."""


class RoleNotFound(Fault):
    """There is no role of that name."""


def canonical(username: str) -> str:
    """Return the one form of a user name: ASCII, lower case. Raises UsernameInvalid."""
    if not _USERNAME.fullmatch(username):
        raise UsernameInvalid
    return username.lower()


def canonical_role(role: str) -> str:
    """Return a role name as it is. Raises Fault if a comma-separated header could not carry it."""
    if not _ROLE.fullmatch(role):
        raise Fault(
            "A role name starts with a letter or a digit and has at most 64 characters from a-z,"
            " 0-9, '.', '_', ':' and '-'."
        )
    return role


async def by_username(db: Database | Transaction, username: str) -> User | None:
    """Read one user with its roles, in one query. `username` is canonical."""
    users = _fold(await db.fetch_all(_BY_USERNAME, (username,)))
    return users[0] if users else None


async def get(db: Database | Transaction, username: str) -> User:
    """Read one user with its roles. Raises UserNotFound, UsernameInvalid."""
    user = await by_username(db, canonical(username))
    if user is None:
        raise _no_user(username)
    return user


async def everybody(db: Database) -> list[User]:
    """Read all users with their roles, in the order of their names."""
    return _fold(await db.fetch_all(_ALL))


async def roles(db: Database | Transaction) -> list[Row]:
    """Read all roles, `{"id", "role", "users"}`, with how many users have each."""
    return await db.fetch_all(
        "SELECT r.id, r.role, count(ur.user_id) AS users FROM roles r"
        " LEFT JOIN user_roles ur ON ur.role_id = r.id GROUP BY r.id, r.role ORDER BY r.role"
    )


async def create(tx: Transaction, username: str, roles: tuple[str, ...] = ()) -> None:
    """Create a user with existing roles. Raises Fault, RoleNotFound, UsernameInvalid."""
    name, now = canonical(username), _now()
    try:
        await tx.execute(
            "INSERT INTO users (username, created_at, updated_at) VALUES (?, ?, ?)",
            (name, now, now),
        )
    except Conflict:
        raise Fault(f"The user {name} exists already.") from None
    for role in dict.fromkeys(roles):
        await tx.execute(
            "INSERT INTO user_roles (user_id, role_id) SELECT id, ? FROM users WHERE username = ?",
            (await _role_id(tx, role), name),
        )


async def delete(tx: Transaction, username: str) -> None:
    """Delete a user. Raises UserNotFound."""
    if not await tx.execute("DELETE FROM users WHERE username = ?", (canonical(username),)):
        raise _no_user(username)


async def set_disabled(tx: Transaction, username: str, *, disabled: bool) -> bool:
    """Disable or enable a user; return whether that was a change. Raises UserNotFound."""
    changed = await tx.execute(
        "UPDATE users SET disabled = ?, version = version + 1, updated_at = ?"
        " WHERE username = ? AND disabled <> ?",
        (int(disabled), _now(), canonical(username), int(disabled)),
    )
    if not changed:
        await get(tx, username)
    return bool(changed)


async def create_role(tx: Transaction, role: str) -> None:
    """Create a role. Raises Fault if it exists or its name is not one."""
    try:
        await tx.execute("INSERT INTO roles (role) VALUES (?)", (canonical_role(role),))
    except Conflict:
        raise Fault(f"The role {role} exists already.") from None


async def delete_role(tx: Transaction, role: str) -> None:
    """Delete a role and take it from everybody who has it. Raises RoleNotFound."""
    role_id = await _role_id(tx, role)
    await tx.execute(
        "UPDATE users SET version = version + 1, updated_at = ?"
        " WHERE id IN (SELECT user_id FROM user_roles WHERE role_id = ?)",
        (_now(), role_id),
    )
    await tx.execute("DELETE FROM roles WHERE id = ?", (role_id,))


async def grant(tx: Transaction, username: str, role: str) -> bool:
    """Give a user a role; return whether that was a change. Raises UserNotFound, RoleNotFound."""
    return await _set_role(tx, username, role, has=True)


async def revoke(tx: Transaction, username: str, role: str) -> bool:
    """Take a role away; return whether that was a change. Raises UserNotFound, RoleNotFound."""
    return await _set_role(tx, username, role, has=False)


async def _set_role(tx: Transaction, username: str, role: str, *, has: bool) -> bool:
    user = await get(tx, username)
    role_id = await _role_id(tx, role)
    if has == any(held["id"] == role_id for held in user["roles"]):
        return False
    statement = (
        "INSERT INTO user_roles (user_id, role_id) VALUES (?, ?)"
        if has
        else "DELETE FROM user_roles WHERE user_id = ? AND role_id = ?"
    )
    await tx.execute(statement, (user["id"], role_id))
    await tx.execute(
        "UPDATE users SET version = version + 1, updated_at = ? WHERE id = ?", (_now(), user["id"])
    )
    return True


async def _role_id(tx: Transaction, role: str) -> int:
    if not _ROLE.fullmatch(role):
        raise _no_role(role)
    row = await tx.fetch_one("SELECT id FROM roles WHERE role = ?", (role,))
    if row is None:
        raise _no_role(role)
    return int(row["id"])


def _fold(rows: list[Row]) -> list[User]:
    """Turn one row for each role into one dict for each user."""
    users: dict[int, User] = {}
    for row in rows:
        role_id, role = row.pop("role_id"), row.pop("role")
        user = users.get(row["id"])
        if user is None:
            user = users[row["id"]] = {**row, "disabled": bool(row["disabled"]), "roles": []}
        if role_id is not None:
            user["roles"].append({"id": role_id, "role": role})
    return list(users.values())


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _no_user(username: str) -> UserNotFound:
    return UserNotFound(f"There is no user {canonical(username)}. `user list` shows them all.")


def _no_role(role: str) -> RoleNotFound:
    return RoleNotFound(
        f"There is no role {role!a}. `role list` shows them, `role create` makes one."
    )
