"""Read single users and roles."""

from collections.abc import Sequence
from typing import TypedDict, cast

from service.db import Database, Row, Transaction
from service.errors import RoleNotFound, UserNotFound
from service.tokens.claims import Role
from service.users.names import ROLE, normalize_username


class RoleCount(Role):
    """A role, and how many users have it."""

    users: int


class User(TypedDict):
    """A user; times are RFC 3339, UTC. `roles` are in the order of their ids."""

    id: int
    username: str
    name: str | None
    email: str | None
    disabled: bool
    version: int
    created_at: str
    updated_at: str
    roles: list[Role]


_NAMES = 500  # per statement

COLUMNS = "u.id, u.username, u.name, u.email, u.disabled, u.version, u.created_at, u.updated_at"
WITH_ROLES = "LEFT JOIN user_roles ur ON ur.user_id = u.id LEFT JOIN roles r ON r.id = ur.role_id"

_SELECT = f"SELECT {COLUMNS}, r.id AS role_id, r.role FROM users u {WITH_ROLES}"  # noqa: S608
_BY_USERNAME = f"{_SELECT} WHERE u.username = ? ORDER BY r.id"
_BY_ID = f"{_SELECT} WHERE u.id = ? ORDER BY r.id"
_ROLES = """
SELECT r.id, r.role, count(ur.user_id) AS users FROM roles r
LEFT JOIN user_roles ur ON ur.role_id = r.id
"""


async def find_by_username(db: Database | Transaction, username: str) -> User | None:
    """Return one user with its roles, or None. `username` must be normalized."""
    users = group_roles(await db.fetch_all(_BY_USERNAME, (username,)))
    return users[0] if users else None


async def find_by_id(db: Database | Transaction, user_id: int) -> User | None:
    """Return one user with its roles, or None."""
    users = group_roles(await db.fetch_all(_BY_ID, (user_id,)))
    return users[0] if users else None


async def get_by_username(db: Database | Transaction, username: str) -> User:
    """Return one user with its roles. Raises UserNotFound, InvalidName."""
    name = normalize_username(username)
    user = await find_by_username(db, name)
    if user is None:
        raise UserNotFound(f"The user {name} does not exist. `user list` lists all users.")
    return user


async def get_by_id(db: Database | Transaction, user_id: int) -> User:
    """Return one user with its roles. Raises UserNotFound."""
    user = await find_by_id(db, user_id)
    if user is None:
        raise UserNotFound
    return user


async def list_roles(db: Database | Transaction) -> list[RoleCount]:
    """Return all roles, `{"id", "role", "users"}`. `users` is the number of users with the role."""
    rows = await db.fetch_all(f"{_ROLES} GROUP BY r.id, r.role ORDER BY r.role")
    return cast("list[RoleCount]", rows)


async def role_ids(db: Database | Transaction) -> dict[str, int]:
    """Return the IDs of all roles by name."""
    rows = await db.fetch_all("SELECT id, role FROM roles")
    return {row["role"]: row["id"] for row in rows}


async def role_by_id(db: Database | Transaction, role_id: int) -> Role:
    """Read one role. Raises RoleNotFound."""
    row = await db.fetch_one("SELECT id, role FROM roles WHERE id = ?", (role_id,))
    if row is None:
        raise RoleNotFound
    return cast("Role", row)


async def role_by_name(db: Database | Transaction, role: str) -> Role:
    """Read one role. Raises RoleNotFound."""
    row = None
    if ROLE.fullmatch(role):
        row = await db.fetch_one("SELECT id, role FROM roles WHERE role = ?", (role,))
    if row is None:
        raise no_role(role)
    return cast("Role", row)


def no_role(role: str) -> RoleNotFound:
    """Return the error for a role that does not exist."""
    return RoleNotFound(
        f"The role {role!a} does not exist. `role list` lists all roles; `role create` adds one."
    )


async def existing_usernames(db: Database | Transaction, names: Sequence[str]) -> set[str]:
    """Return those of `names` that already exist. `names` must be normalized."""
    found: set[str] = set()
    for start in range(0, len(names), _NAMES):
        some = names[start : start + _NAMES]
        rows = await db.fetch_all(
            f"SELECT username FROM users WHERE username IN ({marks(some)})",  # noqa: S608  # only marks
            some,
        )
        found |= {row["username"] for row in rows}
    return found


def marks(values: Sequence[object]) -> str:
    """Return a placeholder for each value."""
    return ", ".join("?" * len(values))


def group_roles(rows: list[Row]) -> list[User]:
    """Group rows, one for each role of a user, into one dict for each user."""
    users: dict[int, User] = {}
    for row in rows:
        user = users.get(row["id"])
        if user is None:
            user = users[row["id"]] = {
                "id": row["id"],
                "username": row["username"],
                "name": row["name"] or None,
                "email": row["email"] or None,
                "disabled": bool(row["disabled"]),
                "version": row["version"],
                "created_at": row["created_at"],
                "updated_at": row["updated_at"],
                "roles": [],
            }
        if row["role_id"] is not None:
            user["roles"].append({"id": row["role_id"], "role": row["role"]})
    return list(users.values())
