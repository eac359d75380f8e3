"""`user password`: set or remove the password of a user."""

import secrets
import sys
from typing import Any

import click

from service import config, users
from service.cli import database_session, output, user_rows
from service.credentials import hashing, passwords
from service.db import Transaction
from service.errors import Fault
from service.parsing import urls

_GENERATED_BYTES = 18  # 24 characters


@click.command()
@click.argument("username")
@click.option("--stdin", "from_stdin", is_flag=True, help="Read the password from standard input.")
@click.option("--generate", is_flag=True, help="Make a random password and print it once.")
@click.option("--remove", is_flag=True, help="Remove the password.")
@output.as_json
def password(username: str, json_form: bool, **how: bool) -> None:
    """Set the password of a user, and end all of the user's sessions.

    Asks for the password twice, unless you use an option.
    """
    if sum(how.values()) > 1:
        raise click.UsageError("Use only one of --stdin, --generate and --remove.")
    if how["remove"]:
        _remove(username, json_form=json_form)
        return
    chosen = _chosen(username, **how)
    phc = hashing.new(chosen)

    async def action(tx: Transaction) -> users.User:
        user = await users.get_by_username(tx, username)
        await passwords.save(tx, database_session.operator(), user, phc)
        await users.sign_out(tx, database_session.operator(), user["id"])
        return await users.get_by_id(tx, user["id"])

    user = database_session.in_transaction(action)
    shown = {"password": chosen} if how["generate"] else {}
    done = {"action": "password_set", "changed": True, **user_rows.of(user), **shown}
    if how["generate"] and not json_form:
        click.echo(chosen)
    output.done(
        "" if how["generate"] else "The password is set. All sessions have ended.",
        **done,
        json_form=json_form,
    )


def _chosen(username: str, *, from_stdin: bool, generate: bool, **_: bool) -> str:
    """Return the new password, normalized. Raises Fault."""
    settings = config.load()
    if generate:
        return secrets.token_urlsafe(_GENERATED_BYTES)
    if from_stdin:
        typed = sys.stdin.read(10 * passwords.MAX_LENGTH).removesuffix("\n").removesuffix("\r")
    else:
        typed = click.prompt("New password", hide_input=True, confirmation_prompt=True, err=True)
    try:
        return passwords.new(
            typed,
            least=settings.password_min_length,
            username=users.normalize_username(username),
            site=urls.host_of(settings.public_url),
        )
    except ValueError as error:
        raise Fault(f"The password {error}.") from error


def _remove(username: str, **form: Any) -> None:
    async def action(tx: Transaction) -> tuple[users.User, bool]:
        user = await users.get_by_username(tx, username)
        changed = await passwords.delete(tx, database_session.operator(), user)
        if changed:
            await users.sign_out(tx, database_session.operator(), user["id"])
        return await users.get_by_id(tx, user["id"]), changed

    user, changed = database_session.in_transaction(action)
    sentence = "Removed. All sessions have ended." if changed else "The user has no password."
    done = {"action": "password_delete", "changed": changed, **user_rows.of(user)}
    output.done(sentence, **done, **form)
