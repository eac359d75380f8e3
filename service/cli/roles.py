"""`role list|create|delete|grant|revoke`."""

import click

from service import schemas, users
from service.cli import database_session, output

_username = click.argument("username")
_role = click.argument("role")


@click.group()
def role() -> None:
    """List, create, delete, grant and revoke roles."""


@role.command("list")
@output.as_json
def list_roles(json_form: bool) -> None:
    """List all roles."""
    output.show(
        database_session.with_database(users.list_roles),
        json_form=json_form,
        empty="There are no roles.",
    )


@role.command()
@_role
@output.as_json
def create(role: str, json_form: bool) -> None:
    """Create a role."""
    name = schemas.role({"role": role})
    created = database_session.in_transaction(
        lambda tx: users.create_role(tx, database_session.operator(), name)
    )
    done = {"action": "role_create", "changed": True, **created}
    output.done("Created.", **done, json_form=json_form)


@role.command()
@_role
@output.yes
@output.as_json
def delete(role: str, yes: bool, json_form: bool) -> None:
    """Delete a role and revoke it from all users."""
    if not yes:
        question = f"Delete the role {role} and revoke it from all users?"
        click.confirm(question, abort=True, err=json_form)
    database_session.in_transaction(
        lambda tx: users.delete_role(tx, database_session.operator(), role)
    )
    done = {"action": "role_delete", "changed": True, "role": role}
    output.done("Deleted.", **done, json_form=json_form)


@role.command()
@_username
@_role
@output.as_json
def grant(username: str, role: str, json_form: bool) -> None:
    """Grant ROLE to USERNAME."""
    changed = database_session.in_transaction(
        lambda tx: users.grant(tx, database_session.operator(), username, role)
    )
    sentence = "Granted." if changed else "The user already has this role."
    _done("role_grant", sentence, username, role, changed=changed, json_form=json_form)


@role.command()
@_username
@_role
@output.as_json
def revoke(username: str, role: str, json_form: bool) -> None:
    """Revoke ROLE from USERNAME."""
    changed = database_session.in_transaction(
        lambda tx: users.revoke(tx, database_session.operator(), username, role)
    )
    sentence = "Revoked." if changed else "The user does not have this role."
    _done("role_revoke", sentence, username, role, changed=changed, json_form=json_form)


def _done(action: str, sentence: str, username: str, role: str, **facts: bool) -> None:
    name = users.normalize_username(username)
    output.done(sentence, action=action, username=name, role=role, **facts)
