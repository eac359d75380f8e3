"""`user link|unlink`: which accounts at providers sign a user in."""

import click

from service import identities, users
from service.cli import output, run
from service.db import Transaction

_account = click.argument("provider")
_subject = click.argument("subject")


@click.command()
@click.argument("username")
@_account
@_subject
@output.as_json
def link(username: str, provider: str, subject: str, json_form: bool) -> None:
    """Let an account at a provider (cas, for example) sign a user in.

    SUBJECT is what the provider calls the account, letter for letter; whoever was refused with
    identity_unknown has seen it.
    """

    async def action(tx: Transaction) -> bool:
        user = await users.get(tx, username)
        return await identities.link(tx, run.operator(), user, provider, subject)

    changed = run.write(action)
    output.done(
        "Linked." if changed else "It is linked with that user already.",
        changed=changed,
        json_form=json_form,
    )


@click.command()
@click.argument("username")
@_account
@_subject
@output.as_json
def unlink(username: str, provider: str, subject: str, json_form: bool) -> None:
    """Let an account sign a user in no longer, and end the sessions that it opened."""

    async def action(tx: Transaction) -> None:
        user = await users.get(tx, username)
        await identities.unlink(tx, run.operator(), user, provider, subject)

    run.write(action)
    output.done("Unlinked.", changed=True, json_form=json_form)
