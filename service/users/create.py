"""Create one user or many users."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from service import audit
from service.audit import Actor
from service.db import ConstraintError, Transaction, bulk_insert
from service.errors import UsernameTaken
from service.users import rights
from service.users.names import normalize_username, searched
from service.users.read import User, get_by_id, no_role, role_ids

_COLUMNS = (
    "username", "name", "email", "search", "disabled", "created_at", "updated_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class NewUser:
    """A validated new user, made by `validate`."""

    username: str
    name: str
    email: str
    search: str
    disabled: bool
    roles: tuple[str, ...]


def validate(username: str, roles: Sequence[str] = (), **facts: Any) -> NewUser:
    """Return a validated new user. `facts` may be `name`, `email` and `disabled`.

    Needs no transaction. Raises InvalidName.
    """
    canon = normalize_username(username)
    name, email = facts.get("name") or "", facts.get("email") or ""
    return NewUser(
        username=canon,
        name=name,
        email=email,
        search=searched(canon, name, email),
        disabled=bool(facts.get("disabled", False)),
        roles=tuple(dict.fromkeys(roles)),
    )


async def create(
    tx: Transaction, by: Actor, username: str, roles: Sequence[str] = (), **facts: Any
) -> User:
    """Create a user with existing roles and return it. `facts` are those of `validate`.

    Raises InvalidName, UsernameTaken, RoleNotFound, RoleMissing.
    """
    newcomer = validate(username, roles, **facts)
    try:
        (user_id,) = await create_all(tx, by, [newcomer])
    except UsernameTaken:
        raise UsernameTaken(f"The user name {newcomer.username} is already taken.") from None
    return await get_by_id(tx, user_id)


async def create_all(
    tx: Transaction,
    by: Actor,
    newcomers: Sequence[NewUser],
    progress: Callable[[int], object] = lambda count: count,
) -> list[int]:
    """Create users with existing roles, each with an audit entry. Return their IDs.

    Calls `progress` with the number of users of each batch. Raises UsernameTaken if any name is
    taken, RoleNotFound, RoleMissing.
    """
    await rights.require_manager(tx, by)
    known = await role_ids(tx)
    for role in dict.fromkeys(role for newcomer in newcomers for role in newcomer.roles):
        if role not in known:
            raise no_role(role)
    ids: list[int] = []
    for start in range(0, len(newcomers), bulk_insert.ROWS):
        some = newcomers[start : start + bulk_insert.ROWS]
        made = await _insert(tx, some)
        held = [
            (made[newcomer.username], known[role]) for newcomer in some for role in newcomer.roles
        ]
        for statement, values in bulk_insert.many("user_roles", ("user_id", "role_id"), held):
            await tx.execute(statement, values)
        entries = [
            (made[newcomer.username], newcomer.username, _detail(newcomer.roles))
            for newcomer in some
        ]
        await audit.record_all(tx, by, "user_create", entries)
        ids += [made[newcomer.username] for newcomer in some]
        progress(len(some))
    return ids


async def _insert(tx: Transaction, newcomers: Sequence[NewUser]) -> dict[str, int]:
    """Insert the rows of users. Return their IDs by name. Raises UsernameTaken."""
    now = audit.now()
    rows = [
        (each.username, each.name, each.email, each.search, int(each.disabled), now, now)
        for each in newcomers
    ]
    ids: dict[str, int] = {}
    try:
        for statement, values in bulk_insert.many("users", _COLUMNS, rows, ("id", "username")):
            ids |= {row["username"]: row["id"] for row in await tx.fetch_all(statement, values)}
    except ConstraintError:
        raise UsernameTaken from None
    return ids


@lru_cache(maxsize=1024)
def _detail(roles: tuple[str, ...]) -> str:
    return audit.written({"roles": roles})
