"""Open invitations: links with which a number of people create users for themselves."""

from collections.abc import Sequence
from typing import NamedTuple, TypedDict

from service import audit, users
from service.audit import Actor
from service.credentials import links
from service.credentials.links import NewLink
from service.db import Database, Transaction, bulk_insert
from service.errors import InvitationNotFound
from service.parsing import dates
from service.users import rights
from service.users.read import no_role

MOST_USES = 1000
MOST_SECONDS = 365 * 86_400


class Wanted(NamedTuple):
    """A new invitation: the names of existing roles, the number of users, a life in seconds."""

    roles: Sequence[str] = ()
    uses: int = 1
    seconds: int = links.SECONDS["open"]


class Invitation(TypedDict):
    """An open invitation. Times are RFC 3339, UTC. `created_by` is a user name, None for commands.

    `used` of `uses` users have been created.
    """

    id: int
    roles: list[str]
    uses: int
    used: int
    created_by: str | None
    created_at: str
    expires_at: str


_SELECT = """
SELECT links.id, links.uses, links.used, c.username, links.created_at, links.expires_at FROM links
LEFT JOIN users c ON c.id = links.created_by WHERE links.purpose = 'open' AND
"""


async def create(tx: Transaction, by: Actor, wanted: Wanted) -> tuple[Invitation, NewLink]:
    """Make an open invitation. Raises RoleNotFound, RoleMissing."""
    await rights.require_manager(tx, by)
    known = await users.role_ids(tx)
    for role in wanted.roles:
        if role not in known:
            raise no_role(role)
    made = await links.insert(tx, by, "open", uses=wanted.uses, seconds=wanted.seconds)
    rows = [(made.id, known[role]) for role in dict.fromkeys(wanted.roles)]
    for statement, values in bulk_insert.many("link_roles", ("link_id", "role_id"), rows):
        await tx.execute(statement, values)
    invitation = await _get(tx, made.id)
    detail = {name: invitation[name] for name in ("roles", "uses", "expires_at")}
    await audit.record(tx, by, "invitation_create", (None, name_of(made.id)), detail)
    return invitation, made


async def list_open(db: Database | Transaction) -> list[Invitation]:
    """Return all invitations that count, the newest first."""
    rows = await db.fetch_all(f"{_SELECT} {links.is_valid(db)} ORDER BY links.id DESC")
    roles = await links.role_names(db, [row["id"] for row in rows])
    return [
        {
            "id": row["id"],
            "roles": roles[row["id"]],
            "uses": row["uses"],
            "used": row["used"],
            "created_by": row["username"],
            "created_at": row["created_at"],
            "expires_at": dates.rfc3339(row["expires_at"]),
        }
        for row in rows
    ]


async def revoke(tx: Transaction, by: Actor, invitation_id: int) -> None:
    """Revoke an open invitation. Users that it created stay. Raises InvitationNotFound."""
    await rights.require_manager(tx, by)
    revoked = await tx.execute(
        f"DELETE FROM links WHERE id = ? AND purpose = 'open' AND {links.is_valid(tx)}",  # noqa: S608  # a constant
        (invitation_id,),
    )
    if not revoked:
        raise InvitationNotFound
    await audit.record(tx, by, "invitation_revoke", (None, name_of(invitation_id)))


def name_of(invitation_id: int) -> str:
    """Return the name of an invitation in the audit log."""
    return f"invitation {invitation_id}"


async def _get(tx: Transaction, invitation_id: int) -> Invitation:
    return next(each for each in await list_open(tx) if each["id"] == invitation_id)
