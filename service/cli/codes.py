"""`user totp-reset`: remove the one-time codes of a user."""

import click

from service import users
from service.cli import database_session, output, user_rows
from service.credentials import totp
from service.db import Transaction


@click.command("totp-reset")
@click.argument("username")
@output.as_json
def totp_reset(username: str, json_form: bool) -> None:
    """Remove the one-time codes and recovery codes of a user, and end all of the user's sessions.

    For a user who has lost the authenticator app and the recovery codes.
    """

    async def action(tx: Transaction) -> tuple[users.User, bool]:
        user = await users.get_by_username(tx, username)
        changed = await totp.delete(tx, database_session.operator(), user)
        if changed:
            await users.sign_out(tx, database_session.operator(), user["id"])
        return await users.get_by_id(tx, user["id"]), changed

    user, changed = database_session.in_transaction(action)
    sentence = "Removed. All sessions have ended." if changed else "The user has no one-time codes."
    done = {"action": "totp_delete", "changed": changed, **user_rows.of(user)}
    output.done(sentence, **done, json_form=json_form)
