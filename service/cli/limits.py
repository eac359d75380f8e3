"""`limits list|clear`: the limits of failed sign-ins."""

import click

from service import users
from service.cli import database_session, output
from service.credentials import attempt_limits


@click.group()
def limits() -> None:
    """List and clear the limits of failed sign-ins."""


@limits.command("list")
@output.as_json
def list_limits(json_form: bool) -> None:
    """List the accounts, networks and devices that must wait before the next attempt."""
    found = database_session.with_database(attempt_limits.delayed)
    rows = [
        {
            "kind": each.kind,
            "user": each.user,
            "network": each.subject if each.kind == "network" else None,
            "failures": each.failures,
            "seconds_left": each.delay,
        }
        for each in found
    ]
    output.show(rows, json_form=json_form, empty="No attempt has to wait.")


@limits.command()
@click.argument("username")
@output.as_json
def clear(username: str, json_form: bool) -> None:
    """Clear the counts of a user, also those of the user's devices."""
    name = users.normalize_username(username)
    cleared = database_session.in_transaction(lambda tx: attempt_limits.clear_user(tx, name))
    sentence = "Cleared." if cleared else "There is nothing to clear."
    done = {"action": "limits_clear", "changed": bool(cleared), "username": name}
    output.done(sentence, **done, json_form=json_form)
