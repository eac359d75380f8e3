"""`user link USERNAME --purpose …` and `invite`: links with which people get a credential."""

from typing import Any

import click

from service import config, schemas, users
from service.cli import database_session, output, user_rows
from service.config import Config
from service.credentials import invitations, links
from service.credentials.invitations import Invitation, Wanted
from service.credentials.links import NewLink
from service.db import Transaction
from service.errors import Fault


def make(username: str, purpose: links.Purpose, *, json_form: bool) -> None:
    """Make a link for a user, and print it."""
    settings = _settings()

    async def action(tx: Transaction) -> tuple[users.User, NewLink]:
        user = await users.get_by_username(tx, username)
        return user, await links.create(tx, database_session.operator(), purpose, user)

    user, made = database_session.in_transaction(action)
    url = made.url(settings.public_url)
    done = {"action": "link_create", "changed": True, **user_rows.of(user)}
    shown = {"purpose": purpose, "url": url, "expires_at": made.expires_at}
    output.done(url, **done, **shown, json_form=json_form)


@click.group()
def invite() -> None:
    """Make, list and revoke open invitations, with which people create users for themselves."""


@invite.command()
@click.option("--role", "roles", multiple=True, help="A role of the new users; repeatable.")
@click.option("--uses", default="1", help="How many users it can create. Default: 1.")
@click.option("--expires-in", help="How long it counts, such as 12h or 7d. Default: 3d.")
@output.as_json
def create(roles: tuple[str, ...], uses: str, expires_in: str | None, json_form: bool) -> None:
    """Make an open invitation, and print its link."""
    settings = _settings()
    given: dict[str, Any] = {"roles": list(roles), "uses": uses}
    if expires_in is not None:
        given["expires_in"] = expires_in

    async def action(tx: Transaction) -> tuple[Invitation, NewLink]:
        wanted: Wanted = user_rows.checked(schemas.invitation, given, await users.role_ids(tx))
        return await invitations.create(tx, database_session.operator(), wanted)

    invitation, made = database_session.in_transaction(action)
    url = made.url(settings.public_url)
    done = {"action": "invitation_create", "changed": True, **invitation, "url": url}
    output.done(url, **done, json_form=json_form)


@invite.command("list")
@output.as_json
def list_invitations(json_form: bool) -> None:
    """List the open invitations, without their links."""
    output.show(
        database_session.with_database(invitations.list_open),
        json_form=json_form,
        empty="There are no open invitations.",
    )


@invite.command()
@click.argument("invitation", metavar="ID", type=click.IntRange(1, 10**18 - 1))
@output.as_json
def revoke(invitation: int, json_form: bool) -> None:
    """Revoke an open invitation. Users that it created stay."""
    database_session.in_transaction(
        lambda tx: invitations.revoke(tx, database_session.operator(), invitation)
    )
    done = {"action": "invitation_revoke", "changed": True, "id": invitation}
    output.done("Revoked.", **done, json_form=json_form)


def _settings() -> Config:
    """Return the settings. Raises Fault if they switch links off."""
    settings = config.load()
    if not settings.has_links:
        raise Fault("Links set passwords or passkeys. Set PASSWORD_AUTH=true or PASSKEY_AUTH=true.")
    return settings
