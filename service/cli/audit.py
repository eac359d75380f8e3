"""`audit list`."""

from collections.abc import AsyncIterator
from typing import Any, get_args

import click

from service import audit, errors, users
from service.cli import database_session, output
from service.db import Database

_PAGE = 200


@click.group("audit")
def audit_group() -> None:
    """Show the audit log."""


@audit_group.command("list")
@click.option("--user", help="Only changes to this user. A deleted user: the last with this name.")
@click.option(
    "--user-id", type=click.IntRange(1, 10**18), help="Only changes to the user with this ID."
)
@click.option("--action", type=click.Choice(get_args(audit.Action)), help="Only this action.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True,
              help="The maximum number of entries.")  # fmt: skip
@output.as_json
def list_entries(user: str | None, json_form: bool, **asked: Any) -> None:
    """List the changes to users and roles, newest first."""
    if user is not None and asked["user_id"] is not None:
        raise click.UsageError("Use --user or --user-id, not both.")

    async def action(database: Database) -> None:
        target = asked["user_id"] if user is None else await _id(database, user)
        pages = _pages(database, asked["limit"], target, asked["action"])
        shown = ([row if json_form else _in_short(row) for row in rows] async for rows in pages)
        await output.show_pages(shown, json_form=json_form, empty="No entries found.")

    database_session.with_database(action)


async def _id(database: Database, username: str) -> int:
    """Return the ID of the user with this name, or of the last deleted one."""
    name = users.normalize_username(username)
    found = await users.find_by_username(database, name)
    user_id = await audit.last_id(database, name) if found is None else int(found["id"])
    if user_id is None:
        raise errors.UserNotFound(f"The user {name} does not exist and is not in the audit log.")
    return user_id


async def _pages(
    database: Database, limit: int, user_id: int | None, action: str | None
) -> AsyncIterator[list[audit.Entry]]:
    before: int | None = None
    while limit:
        query = audit.Query(min(limit, _PAGE), before, user_id, action)
        entries, before = await audit.page(database, query)
        yield entries
        if before is None:
            return
        limit -= len(entries)


def _in_short(entry: audit.Entry) -> dict[str, Any]:
    """Return the columns of an entry for the table."""
    detail = [
        f"{name} {', '.join(value) if isinstance(value, list) else value}"
        for name, value in entry["detail"].items()
    ]
    return {
        "at": entry["at"],
        "actor": entry["actor"]["name"],
        "action": entry["action"],
        "target": entry["target"]["name"],
        "detail": "; ".join(detail) or None,
        "client": entry["client"],
    }
