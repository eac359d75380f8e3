"""Change users. Each change increments the version, and adds a feed row and an audit entry."""

from collections.abc import Mapping
from typing import Any, cast

from service import audit
from service.audit import Actor
from service.db import ConstraintError, Transaction
from service.errors import UsernameTaken
from service.revocation import events
from service.tokens import lifetimes
from service.tokens.claims import Claims, Role
from service.users import rights
from service.users.names import normalize_username, searched
from service.users.read import (
    User,
    find_by_id,
    get_by_username,
    marks,
    no_role,
    role_by_name,
)

_TEXTS = ("name", "email")
_PER_SECOND = 1000  # more than the changes of one user in a second


async def update(tx: Transaction, by: Actor, user: User, facts: Mapping[str, Any]) -> User:
    """Change the given `facts`: `username`, `name`, `email`, `disabled`, `roles` (names).

    `user` must have been read in this transaction. Return the changed user. Disabling and enabling
    end the user's sessions; other changes do not. Equal values are no change. Raises
    InvalidName, UsernameTaken, RoleNotFound, RoleMissing, LastManager.
    """
    await rights.require_manager(tx, by)
    changed = {key: value for key, value in _columns(facts).items() if value != _held(user, key)}
    wanted = set(facts["roles"]) if "roles" in facts else set(_names(user))
    granted = sorted(wanted - set(_names(user)))
    revoked = sorted(set(_names(user)) - wanted)
    if not (changed or granted or revoked):
        return user
    is_revoking = "disabled" in changed
    updated = await _write(tx, user, changed, is_revoking=is_revoking)
    updated["roles"] = await _set_roles(tx, user, granted, revoked)
    if rights.manages(user) and not rights.manages(updated):
        await rights.require_a_manager_is_left(tx)
    parts = {**changed, "granted": granted, "revoked": revoked}
    detail = {key: value for key, value in parts.items() if value not in ([], None)}
    await audit.record(tx, by, "user_update", (user["id"], user["username"]), detail)
    return updated


async def delete(tx: Transaction, by: Actor, user: User) -> None:
    """Delete a user and revoke its tokens. Raises RoleMissing, LastManager."""
    await rights.require_manager(tx, by)
    await tx.execute("DELETE FROM users WHERE id = ?", (user["id"],))
    if rights.manages(user):
        await rights.require_a_manager_is_left(tx)
    await events.user_revoked(tx, user["id"], events.DELETED_VERSION)
    await audit.record(tx, by, "user_delete", (user["id"], user["username"]))


async def sign_out(tx: Transaction, by: Actor, user_id: int, *, seen: int | None = None) -> int:
    """End all sessions of a user. Return the lowest `ver` that is valid afterwards.

    A deleted user has no sessions. `seen` is the user's version when the request arrived: if the
    sessions have been ended since then, they are not ended again. Raises RoleMissing if `by` is
    neither the user nor a manager.
    """
    if by.id != user_id:
        await rights.require_manager(tx, by)
    user = await find_by_id(tx, user_id)
    if user is None:
        return events.DELETED_VERSION
    if seen is not None and await events.is_user_revoked(tx, user_id, seen):
        return user["version"]
    updated = await _write(tx, user, {}, is_revoking=True)
    await audit.record(tx, by, "user_sign_out", (user_id, user["username"]))
    return updated["version"]


async def sign_out_by_token(tx: Transaction, by: Actor, claims: Claims) -> bool:
    """End all sessions of the user of a token; return whether that is a change.

    A token that was revoked while it waited for its turn ends nothing. Raises RoleMissing.
    """
    if await events.is_revoked(tx, claims):
        return False
    await sign_out(tx, by, claims["id"])
    return True


async def sign_out_all(tx: Transaction, by: Actor, now: int) -> None:
    """End all sessions of all users, including users that are not in this database.

    For a database that was restored from a backup, which lacks later revocations, users and
    versions. All sessions that started until `now` are refused. Versions continue at `now`, so that
    processes with higher versions in memory accept new sessions.
    """
    await lifetimes.end_all(tx, now)
    await tx.execute(
        "UPDATE users SET version = CASE WHEN version < ? THEN ? ELSE version + 1 END",
        (now * _PER_SECOND, now * _PER_SECOND),
    )
    await audit.record(tx, by, "user_sign_out", (None, "all users"))


async def set_disabled(tx: Transaction, by: Actor, username: str, *, disabled: bool) -> bool:
    """Disable or enable a user. Return whether it changed. Raises UserNotFound."""
    return await _change(tx, by, await get_by_username(tx, username), {"disabled": disabled})


async def grant(tx: Transaction, by: Actor, username: str, role: str) -> bool:
    """Grant a role. Return whether the user changed. Raises UserNotFound, RoleNotFound."""
    user, name = await get_by_username(tx, username), (await role_by_name(tx, role))["role"]
    return await _change(tx, by, user, {"roles": [*_names(user), name]})


async def revoke(tx: Transaction, by: Actor, username: str, role: str) -> bool:
    """Revoke a role. Return whether the user changed. Raises UserNotFound, RoleNotFound."""
    user, name = await get_by_username(tx, username), (await role_by_name(tx, role))["role"]
    return await _change(tx, by, user, {"roles": [r for r in _names(user) if r != name]})


async def touch_holders(tx: Transaction, role_id: int) -> None:
    """Count up and announce all who have a role: in two statements, since they may be many."""
    await tx.execute(
        "UPDATE users SET version = version + 1, updated_at = ?"
        " WHERE id IN (SELECT user_id FROM user_roles WHERE role_id = ?)",
        (audit.now(), role_id),
    )
    await events.holders_changed(tx, role_id)


async def _change(tx: Transaction, by: Actor, user: User, facts: Mapping[str, Any]) -> bool:
    return bool((await update(tx, by, user, facts))["version"] != user["version"])


def _columns(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the column values for `facts`, as the database stores them."""
    values = {key: facts[key] or "" for key in _TEXTS if key in facts}
    if "username" in facts:
        values["username"] = normalize_username(facts["username"])
    if "disabled" in facts:
        values["disabled"] = bool(facts["disabled"])
    return values


def _held(user: User, key: str) -> Any:
    held: Mapping[str, Any] = user
    return held[key] or "" if key in _TEXTS else held[key]


async def _write(
    tx: Transaction, user: User, values: Mapping[str, Any], *, is_revoking: bool
) -> User:
    """Set columns, increment the version and add a row to the feed. Return the changed user.

    `values` are those of `_columns`. Raises UsernameTaken.
    """
    version = user["version"] + 1
    now = {"version": version, "updated_at": audit.now()}
    updated = {**user, **values, **now}
    texts = {name: updated[name] or "" for name in ("username", *_TEXTS)}
    search = {} if values.keys() <= {"disabled"} else {"search": searched(*texts.values())}
    written = {**values, **search, **now}
    columns = ", ".join(f"{column} = ?" for column in written)
    try:
        await tx.execute(
            f"UPDATE users SET {columns} WHERE id = ?",  # noqa: S608  # constants
            (*written.values(), user["id"]),
        )
    except ConstraintError:
        raise UsernameTaken(f"The user name {updated['username']} is already taken.") from None
    announce = events.user_revoked if is_revoking else events.user_changed
    await announce(tx, user["id"], version)
    return cast("User", {**updated, **{name: texts[name] or None for name in _TEXTS}})


async def _set_roles(
    tx: Transaction, user: User, granted: list[str], revoked: list[str]
) -> list[Role]:
    """Grant and revoke roles. Return the new roles of the user. Raises RoleNotFound."""
    roles = [role for role in user["roles"] if role["role"] not in revoked]
    if revoked:
        ids = [role["id"] for role in user["roles"] if role["role"] in revoked]
        await tx.execute(
            f"DELETE FROM user_roles WHERE user_id = ? AND role_id IN ({marks(ids)})",  # noqa: S608  # only marks
            (user["id"], *ids),
        )
    if granted:
        rows = await tx.fetch_all(
            "INSERT INTO user_roles (user_id, role_id) SELECT ?, id FROM roles"  # noqa: S608  # only marks
            f" WHERE role IN ({marks(granted)})"
            " RETURNING role_id AS id, (SELECT role FROM roles WHERE id = role_id) AS role",
            (user["id"], *granted),
        )
        if missing := sorted(set(granted) - {row["role"] for row in rows}):
            raise no_role(missing[0])
        roles += cast("list[Role]", rows)
    return sorted(roles, key=lambda role: role["id"])


def _names(user: User) -> list[str]:
    return [role["role"] for role in user["roles"]]
