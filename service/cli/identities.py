"""`user link|unlink`: link accounts at providers to users, and make links for users."""

from typing import Any, Literal

import click

from service import users
from service.cli import database_session, links, output, user_rows
from service.db import Transaction
from service.providers import cas, identities

_CAS = "cas"
_TRUSTED = (
    "\nWith CAS_TRUST_USERNAMES, the CAS account {name} still signs this user in, by its name."
    " To prevent this, run `user disable {name}`."
)
_account = click.argument("provider")
_subject = click.argument("subject")


@click.command()
@click.argument("username")
@click.argument("provider", required=False)
@click.argument("subject", required=False)
@click.option("--purpose", type=click.Choice(("invite", "reset")), help="Make a link instead.")
@output.as_json
def link(
    username: str,
    provider: str | None,
    subject: str | None,
    purpose: Literal["invite", "reset"] | None,
    json_form: bool,
) -> None:
    """Link an account at a provider to a user, or make a link for the user.

    PROVIDER is cas, oidc or a name in OIDC_PROVIDERS. SUBJECT is the exact identifier of the
    account there; the error page identity_unknown shows it.

    With --purpose, print a link with which the user sets a password or passkey: invite counts for
    72 hours; reset for an hour, ends all sessions of the user, and withdraws the earlier links.
    """
    if purpose is not None and provider is None:
        links.make(username, purpose, json_form=json_form)
    elif purpose is None and provider is not None and subject is not None:
        _link(username, provider, subject, json_form=json_form)
    else:
        raise click.UsageError("Use either PROVIDER SUBJECT or --purpose.")


def _link(username: str, provider: str, subject: str, *, json_form: bool) -> None:

    async def action(tx: Transaction) -> tuple[users.User, bool]:
        user = await users.get_by_username(tx, username)
        return user, await identities.link(tx, database_session.operator(), user, provider, subject)

    user, changed = database_session.in_transaction(action)
    sentence = "Linked." if changed else "The account is already linked to this user."
    done = {"action": "identity_link", "changed": changed, **_facts(user, provider, subject)}
    output.done(sentence, **done, json_form=json_form)


@click.command()
@click.argument("username")
@_account
@_subject
@output.as_json
def unlink(username: str, provider: str, subject: str, json_form: bool) -> None:
    """Unlink an account and end the sessions that it opened.

    With CAS_TRUST_USERNAMES, the CAS account of the user's own name still signs the user in, by its
    name. To prevent this, run user disable.
    """

    async def action(tx: Transaction) -> users.User:
        user = await users.get_by_username(tx, username)
        await identities.unlink(tx, database_session.operator(), user, provider, subject)
        return user

    user = database_session.in_transaction(action)
    done = {"action": "identity_unlink", "changed": True, **_facts(user, provider, subject)}
    signs_in = _TRUSTED.format(name=user["username"]) if _has_name_of(user, done) else ""
    output.done(f"Unlinked.{signs_in}", **done, json_form=json_form)


def _has_name_of(user: users.User, account: dict[str, Any]) -> bool:
    """Return whether a CAS account has the name of the user."""
    is_named = cas.as_username(str(account["subject"])) == user["username"]
    return bool(account["provider"] == _CAS and is_named)


def _facts(user: users.User, provider: str, subject: str) -> dict[str, Any]:
    account = {"provider": users.normalize_provider(provider), "subject": subject}
    return {**user_rows.of(user), **account}
