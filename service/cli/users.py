"""`user list|show|update|rename|enable|disable|sign-out|delete`. Other files have the rest."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import click

from service import schemas, users
from service.cli import database_session, output, user_rows
from service.cli.codes import totp_reset
from service.cli.create import create
from service.cli.identities import link, unlink
from service.cli.passwords import password
from service.cli.sign_out_all import sign_out_all
from service.db import Database, Transaction
from service.providers import identities

_PAGE = 200
Changed = tuple[users.User, bool]
"""A user, and whether the command changed it."""

_username = click.argument("username")


@click.group()
def user() -> None:
    """Show and change users."""


for command in (create, link, unlink, password, totp_reset):
    user.add_command(command)


@user.command("list")
@click.option("--q", help="Search user names, names and e-mail addresses. One or two characters:"
              " the start of user names only.")  # fmt: skip
@click.option("--role", help="Only users with this role.")
@click.option("--disabled/--enabled", default=None, help="Only disabled, or only enabled users.")
@click.option("--sort", help=f"{', '.join(users.SORTS)}. Prefix - for descending order.")
@click.option("--limit", type=click.IntRange(1), help="The maximum number of users.")
@output.as_json
def list_users(limit: int | None, json_form: bool, **asked: Any) -> None:
    """List users, all or filtered."""
    if asked["disabled"] is not None:
        asked["disabled"] = "true" if asked["disabled"] else "false"
    given = {name: value for name, value in asked.items() if value is not None}
    query = schemas.user_query(given)

    async def action(database: Database) -> None:
        empty = "No users found." if given else "There are no users."
        pages = _pages(database, query, limit)
        await output.show_pages(pages, json_form=json_form, empty=empty)

    database_session.with_database(action)


@user.command()
@_username
@output.as_json
def show(username: str, json_form: bool) -> None:
    """Show one user with the linked accounts at providers."""

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
@click.option("--username", "to", help="The new user name.")
@click.option("--name", help="The full name; '' removes it.")
@click.option("--email", help="The e-mail address; '' removes it.")
@click.option(
    "--role", "roles", multiple=True, help="The new roles, instead of all current ones; repeatable."
)
@click.option("--no-roles", is_flag=True, help="Revoke all roles.")
@click.option("--disabled/--enabled", default=None, help="Disable or enable the user.")
@output.as_json
def update(username: str, json_form: bool, no_roles: bool, **asked: Any) -> None:
    """Change a user. Omitted options stay unchanged."""
    roles = asked.pop("roles")
    if roles and no_roles:
        raise click.UsageError("Use --role or --no-roles, not both.")
    given = {
        "username": asked.pop("to"),
        **asked,
        "roles": list(roles) or ([] if no_roles else None),
    }
    wanted = {name: value for name, value in given.items() if value is not None}
    if not wanted:
        raise click.UsageError("Nothing to change. Use --name, --email, --role or another option.")
    _update(
        username, wanted, ("Updated.", "The user already has these values."), json_form=json_form
    )


@user.command()
@_username
@click.argument("to", metavar="NEW_NAME")
@output.as_json
def rename(username: str, to: str, json_form: bool) -> None:
    """Rename a user. The user stays signed in."""
    sentences = ("Renamed.", "The user already has this name.")
    _update(username, {"username": to}, sentences, json_form=json_form)


@user.command()
@_username
@output.as_json
def enable(username: str, json_form: bool) -> None:
    """Enable a disabled user."""
    sentences = ("Enabled.", "The user is already enabled.")
    _set_disabled(username, sentences, disabled=False, json_form=json_form)


@user.command()
@_username
@output.as_json
def disable(username: str, json_form: bool) -> None:
    """Disable a user and end all of the user's sessions."""
    sentences = ("Disabled.", "The user is already disabled.")
    _set_disabled(username, sentences, disabled=True, json_form=json_form)


@user.command("sign-out")
@click.argument("username", required=False)
@click.option("--all", "everybody", is_flag=True, help="Sign all users out, as after a restore.")
@output.yes
@output.as_json
def sign_out(username: str | None, everybody: bool, yes: bool, json_form: bool) -> None:
    """End all sessions of a user within a second, on every server.

    With --all instead of USERNAME, end all sessions of all users. Do this after you restore a
    backup: it does not contain the sessions that ended after it was made.
    """
    if (username is None) != everybody:
        raise click.UsageError("Use either USERNAME or --all.")
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
    """Delete a user permanently and end all of the user's sessions."""
    if not yes:
        found = database_session.with_database(
            lambda database: users.get_by_username(database, username)
        )
        click.confirm(
            f"Delete the user {found['username']} permanently?", abort=True, err=json_form
        )

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
    """Print the first sentence if the user changed, else the second."""
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
