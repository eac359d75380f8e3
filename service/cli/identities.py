"""`user link|unlink`: which accounts at providers sign a user in."""

from typing import Any

import click

from service import users
from service.cli import database_session, output, user_rows
from service.db import Transaction
from service.providers import identities

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

    async def action(tx: Transaction) -> tuple[users.User, bool]:
        user = await users.get_by_username(tx, username)
        return user, await identities.link(tx, database_session.operator(), user, provider, subject)

    user, changed = database_session.in_transaction(action)
    sentence = "Linked." if changed else "It is linked with that user already."
    done = {"action": "identity_link", "changed": changed, **_facts(user, provider, subject)}
    output.done(sentence, **done, json_form=json_form)


@click.command()
@click.argument("username")
@_account
@_subject
@output.as_json
def unlink(username: str, provider: str, subject: str, json_form: bool) -> None:
    """Let an account sign a user in no longer, and end the sessions that it opened."""

    async def action(tx: Transaction) -> users.User:
        user = await users.get_by_username(tx, username)
        await identities.unlink(tx, database_session.operator(), user, provider, subject)
        return user

    user = database_session.in_transaction(action)
    done = {"action": "identity_unlink", "changed": True, **_facts(user, provider, subject)}
    output.done("Unlinked.", **done, json_form=json_form)


def _facts(user: users.User, provider: str, subject: str) -> dict[str, Any]:
    account = {"provider": users.normalize_provider(provider), "subject": subject}
    return {**user_rows.of(user), **account}
