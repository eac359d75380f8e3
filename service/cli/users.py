"""`user list|show|update|rename|enable|disable|sign-out|delete`; others have files of their own."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import click

from service import schemas, users
from service.cli import database_session, output, user_rows
from service.cli.create import create
from service.cli.identities import link, unlink
from service.cli.sign_out_all import sign_out_all
from service.db import Database, Transaction
from service.providers import identities

_PAGE = 200
Changed = tuple[users.User, bool]
"""A user as it is now, and whether that is a change."""

_username = click.argument("username")


@click.group()
def user() -> None:
    """Show and change users."""


for command in (create, link, unlink):
    user.add_command(command)


@user.command("list")
@click.option("--q", help="In user name, name or e-mail address; under three characters, at the"
              " start of the user name.")  # fmt: skip
@click.option("--role", help="Who has this role.")
@click.option("--disabled/--enabled", default=None, help="Who may not, or may, sign in.")
@click.option("--sort", help=f"{', '.join(users.SORTS)}; with - before it, backwards.")
@click.option("--limit", type=click.IntRange(1), help="So many at most.")
@output.as_json
def list_users(limit: int | None, json_form: bool, **asked: Any) -> None:
    """List all users, or those who are asked for."""
    if asked["disabled"] is not None:
        asked["disabled"] = "true" if asked["disabled"] else "false"
    given = {name: value for name, value in asked.items() if value is not None}
    query = schemas.user_query(given)

    async def action(database: Database) -> None:
        empty = "There are no such users." if given else "There are no users yet."
        pages = _pages(database, query, limit)
        await output.show_pages(pages, json_form=json_form, empty=empty)

    database_session.with_database(action)


@user.command()
@_username
@output.as_json
def show(username: str, json_form: bool) -> None:
    """Show one user, and the accounts at providers that sign the user in."""

    async def action(database: Database) -> tuple[users.User, list[identities.Identity]]:
        user = await users.get_by_username(database, username)
        return user, await identities.of_user(database, user["id"])

    found, linked = database_session.with_database(action)
    accounts = [{"provider": row["provider"], "subject": row["subject"]} for row in linked]
    words = [f"{row['provider']}:{row['subject']}" for row in linked]
    row = {**user_rows.of(found), "identities": accounts if json_form else words}
    output.show_one(row, json_form=json_form)


@user.command()
@_username
@click.option("--username", "to", help="Another user name.")
@click.option("--name", help="What people call the user; '' for nothing.")
@click.option("--email", help="'' for none.")
@click.option("--role", "roles", multiple=True, help="The roles, all of them anew; repeatable.")
@click.option("--no-roles", is_flag=True, help="Take all roles away.")
@click.option("--disabled/--enabled", default=None, help="Whether the user may sign in.")
@output.as_json
def update(username: str, json_form: bool, no_roles: bool, **asked: Any) -> None:
    """Change a user: what is not named stays as it is."""
    roles = asked.pop("roles")
    if roles and no_roles:
        raise click.UsageError("--role and --no-roles contradict each other.")
    given = {
        "username": asked.pop("to"),
        **asked,
        "roles": list(roles) or ([] if no_roles else None),
    }
    wanted = {name: value for name, value in given.items() if value is not None}
    if not wanted:
        raise click.UsageError("Say what to change: --name, --email, --role …")
    _update(username, wanted, ("Updated.", "The user is like that already."), json_form=json_form)


@user.command()
@_username
@click.argument("to", metavar="NEW_NAME")
@output.as_json
def rename(username: str, to: str, json_form: bool) -> None:
    """Give a user another name, which signs nobody out."""
    sentences = ("Renamed.", "That is the user's name already.")
    _update(username, {"username": to}, sentences, json_form=json_form)


@user.command()
@_username
@output.as_json
def enable(username: str, json_form: bool) -> None:
    """Let a disabled user sign in again."""
    sentences = ("Enabled.", "The user is enabled already.")
    _set_disabled(username, sentences, disabled=False, json_form=json_form)


@user.command()
@_username
@output.as_json
def disable(username: str, json_form: bool) -> None:
    """Keep a user from signing in, and end all of the user's sessions."""
    sentences = ("Disabled.", "The user is disabled already.")
    _set_disabled(username, sentences, disabled=True, json_form=json_form)


@user.command("sign-out")
@click.argument("username", required=False)
@click.option("--all", "everybody", is_flag=True, help="All users, as after a restore.")
@output.yes
@output.as_json
def sign_out(username: str | None, everybody: bool, yes: bool, json_form: bool) -> None:
    """End all sessions of a user, within a second and everywhere.

    With --all instead of USERNAME, end all sessions of all users: after a backup was restored, the
    database does not know which sessions ended since.
    """
    if (username is None) != everybody:
        raise click.UsageError("Name one user, or --all.")
    if username is None:
        sign_out_all(yes=yes, json_form=json_form)
        return

    async def action(tx: Transaction) -> users.User:
        found = await users.get_by_username(tx, username)
        await users.sign_out(tx, database_session.operator(), found["id"])
        return await users.get_by_id(tx, found["id"])

    done = {
        "action": "user_sign_out",
        "changed": True,
        **user_rows.of(database_session.in_transaction(action)),
    }
    output.done("Signed out everywhere.", **done, json_form=json_form)


@user.command()
@_username
@output.yes
@output.as_json
def delete(username: str, yes: bool, json_form: bool) -> None:
    """Delete a user for good, and end all of the user's sessions."""
    if not yes:
        found = database_session.with_database(
            lambda database: users.get_by_username(database, username)
        )
        click.confirm(f"Delete the user {found['username']} for good?", abort=True, err=json_form)

    async def action(tx: Transaction) -> users.User:
        found = await users.get_by_username(tx, username)
        await users.delete(tx, database_session.operator(), found)
        return found

    done = {
        "action": "user_delete",
        "changed": True,
        **user_rows.of(database_session.in_transaction(action)),
    }
    output.done("Deleted.", **done, json_form=json_form)


def _update(
    username: str, wanted: dict[str, Any], sentences: tuple[str, str], *, json_form: bool
) -> None:
    async def action(tx: Transaction) -> Changed:
        changes = user_rows.checked(schemas.patch, wanted, await users.role_ids(tx))
        before = await users.get_by_username(tx, username)
        after = await users.update(tx, database_session.operator(), before, changes)
        return after, after["version"] != before["version"]

    _done(database_session.in_transaction(action), sentences, json_form=json_form)


def _set_disabled(
    username: str, sentences: tuple[str, str], *, disabled: bool, json_form: bool
) -> None:
    async def action(tx: Transaction) -> Changed:
        changed = await users.set_disabled(
            tx, database_session.operator(), username, disabled=disabled
        )
        return await users.get_by_username(tx, username), changed

    _done(database_session.in_transaction(action), sentences, json_form=json_form)


def _done(after: Changed, sentences: tuple[str, str], *, json_form: bool) -> None:
    """Say the first of the sentences if there was a change, or the second."""
    user, changed = after
    done = {"action": "user_update", "changed": changed, **user_rows.of(user)}
    output.done(sentences[0 if changed else 1], **done, json_form=json_form)


async def _pages(
    database: Database, query: users.Query, limit: int | None
) -> AsyncIterator[list[dict[str, Any]]]:
    after, left = None, limit
    while left != 0:
        size = _PAGE if left is None else min(left, _PAGE)
        found, after = await users.page(database, replace(query, limit=size, after=after))
        yield [user_rows.of(row) for row in found]
        if after is None:
            return
        left = None if left is None else left - len(found)
