"""`role list|create|delete|grant|revoke`."""

import click

from service import users
from service.cli import output, run

_username = click.argument("username")
_role = click.argument("role")


@click.group()
def role() -> None:
    """Show and change roles, and who has them."""


@role.command("list")
@output.as_json
def list_roles(json_form: bool) -> None:
    """List all roles."""
    output.show(run.read(users.roles), json_form=json_form, empty="There are no roles yet.")


@role.command()
@_role
def create(role: str) -> None:
    """Create a role."""
    run.write(lambda tx: users.create_role(tx, run.operator(), role))
    click.echo("Created.")


@role.command()
@_role
@output.yes
def delete(role: str, yes: bool) -> None:
    """Delete a role, and take it from everybody who has it."""
    if not yes:
        click.confirm(f"Delete the role {role}, and take it from everybody?", abort=True)
    run.write(lambda tx: users.delete_role(tx, run.operator(), role))
    click.echo("Deleted.")


@role.command()
@_username
@_role
def grant(username: str, role: str) -> None:
    """Give USERNAME the role ROLE."""
    changed = run.write(lambda tx: users.grant(tx, run.operator(), username, role))
    click.echo("Granted." if changed else "The user has that role already.")


@role.command()
@_username
@_role
def revoke(username: str, role: str) -> None:
    """Take the role ROLE from USERNAME."""
    changed = run.write(lambda tx: users.revoke(tx, run.operator(), username, role))
    click.echo("Revoked." if changed else "The user does not have that role.")
