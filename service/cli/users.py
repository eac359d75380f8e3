"""`user list|show|create|rename|enable|disable|sign-out|delete`."""

import click

from service import identities, users
from service.cli import output, run
from service.db import Database, Row, Transaction

_PAGE = 200
_username = click.argument("username")


@click.group()
def user() -> None:
    """Show and change users."""


@user.command("list")
@output.as_json
def list_users(json_form: bool) -> None:
    """List all users."""
    rows = run.read(_everybody)
    output.show([_facts(row) for row in rows], json_form=json_form, empty="There are no users yet.")


@user.command()
@_username
@output.as_json
def show(username: str, json_form: bool) -> None:
    """Show one user, and the accounts at providers that sign the user in."""

    async def action(database: Database) -> tuple[users.User, list[Row]]:
        user = await users.get(database, username)
        return user, await identities.of_user(database, user["id"])

    found, linked = run.read(action)
    accounts = [{"provider": row["provider"], "subject": row["subject"]} for row in linked]
    words = [f"{row['provider']}:{row['subject']}" for row in linked]
    facts = {**_facts(found), "identities": accounts if json_form else words}
    output.show_one(facts, json_form=json_form)


@user.command()
@_username
@click.option("--role", "roles", multiple=True, help="A role to give at once; repeatable.")
@output.as_json
def create(username: str, roles: tuple[str, ...], json_form: bool) -> None:
    """Create a user."""

    async def action(tx: Transaction) -> users.User:
        return await users.create(tx, run.operator(), username, roles)

    created = _facts(run.write(action))
    output.done(f"Created {created['username']}.", **created, json_form=json_form)


@user.command()
@_username
@click.argument("to", metavar="NEW_NAME")
def rename(username: str, to: str) -> None:
    """Give a user another name, which signs nobody out."""

    async def action(tx: Transaction) -> bool:
        user = await users.get(tx, username)
        renamed = await users.update(tx, run.operator(), user, {"username": to})
        return bool(renamed["version"] != user["version"])

    changed = run.write(action)
    click.echo("Renamed." if changed else "That is the user's name already.")


@user.command()
@_username
def enable(username: str) -> None:
    """Let a disabled user sign in again."""
    changed = run.write(lambda tx: users.set_disabled(tx, run.operator(), username, disabled=False))
    click.echo("Enabled." if changed else "The user is enabled already.")


@user.command()
@_username
def disable(username: str) -> None:
    """Keep a user from signing in, and end all of the user's sessions."""
    changed = run.write(lambda tx: users.set_disabled(tx, run.operator(), username, disabled=True))
    click.echo("Disabled." if changed else "The user is disabled already.")


@user.command("sign-out")
@_username
def sign_out(username: str) -> None:
    """End all sessions of a user, within a second and everywhere."""

    async def action(tx: Transaction) -> None:
        await users.sign_out(tx, run.operator(), (await users.get(tx, username))["id"])

    run.write(action)
    click.echo("Signed out everywhere.")


@user.command()
@_username
@output.yes
def delete(username: str, yes: bool) -> None:
    """Delete a user for good, and end all of the user's sessions."""
    if not yes:
        found = run.read(lambda database: users.get(database, username))
        click.confirm(f"Delete the user {found['username']} for good?", abort=True)

    async def action(tx: Transaction) -> None:
        await users.delete(tx, run.operator(), await users.get(tx, username))

    run.write(action)
    click.echo("Deleted.")


async def _everybody(database: Database) -> list[users.User]:
    found, after = await users.page(database, users.Query(limit=_PAGE))
    while after is not None:
        more, after = await users.page(database, users.Query(limit=_PAGE, after=after))
        found += more
    return found


def _facts(row: users.User) -> dict[str, object]:
    return {name: row[name] for name in _COLUMNS}


_COLUMNS = (
    "id",
    "username",
    "name",
    "email",
    "roles",
    "disabled",
    "version",
    "created_at",
    "updated_at",
)
