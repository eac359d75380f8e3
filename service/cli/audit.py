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
    """Show who changed what."""


@audit_group.command("list")
@click.option("--user", help="Whom it was done to, by user name; of those who are gone, the last.")
@click.option("--user-id", type=click.IntRange(1, 10**18), help="The same by id.")
@click.option("--action", type=click.Choice(get_args(audit.Action)), help="What was done.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True,
              help="So many at most.")  # fmt: skip
@output.as_json
def list_entries(user: str | None, json_form: bool, **asked: Any) -> None:
    """List what was done to users and roles, the newest first."""
    if user is not None and asked["user_id"] is not None:
        raise click.UsageError("--user and --user-id are two ways to say the same.")

    async def action(database: Database) -> None:
        target = asked["user_id"] if user is None else await _id(database, user)
        pages = _pages(database, asked["limit"], target, asked["action"])
        shown = ([row if json_form else _in_short(row) for row in rows] async for rows in pages)
        await output.show_pages(shown, json_form=json_form, empty="There are no such entries.")

    database_session.with_database(action)


async def _id(database: Database, username: str) -> int:
    """Return the id of the user of this name, or of the last one who had it."""
    name = users.normalize_username(username)
    found = await users.find_by_username(database, name)
    user_id = await audit.last_id(database, name) if found is None else int(found["id"])
    if user_id is None:
        raise errors.UserNotFound(f"There is no user {name}, and the audit knows of none.")
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
    """Return an entry as a line has room for it."""
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
