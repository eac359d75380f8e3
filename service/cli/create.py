"""`user create`: one user, or all of a file."""

from pathlib import Path
from typing import Any

import click

from service import schemas, users
from service.cli import database_session, import_users, output, user_rows
from service.db import Transaction
from service.schemas import import_files

_ENDINGS = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}


@click.command()
@click.argument("username", required=False)
@click.option("--name", help="What people call the user.")
@click.option("--email", help="An e-mail address.")
@click.option("--role", "roles", multiple=True, help="A role to give at once; repeatable.")
@click.option("--disabled", is_flag=True, help="The user may not sign in yet.")
@click.option("--file", type=click.Path(exists=True, dir_okay=False, allow_dash=True,
              path_type=Path), help="Create all users of a file; - is standard input.")  # fmt: skip
@click.option("--format", "form", type=click.Choice(import_files.FORMATS),
              help="Of the file, if its name does not end with .csv or .jsonl.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Check the file, and create nobody.")
@output.as_json
def create(username: str | None, file: Path | None, json_form: bool, **asked: Any) -> None:
    """Create a user, or with --file all users of a file, or nobody if anything is wrong.

    \b
    CSV has a line with the names of its columns, then a user on each line:
      username,name,email,roles,disabled
      ada,Ada Lovelace,ada@example.org,editor reviewer,false
    Only username has to be there. Roles are separated by blanks or semicolons.

    \b
    JSON Lines have a user on each line, as the API takes it:
      {"username": "ada", "name": "Ada Lovelace", "roles": ["editor"]}
    """  # noqa: D301  # the backslashes are click's mark of lines to keep
    form, dry_run = asked.pop("form"), asked.pop("dry_run")
    if (username is None) == (file is None):
        raise click.UsageError("Name a user, or a file of users with --file.")
    if username is not None:
        if form or dry_run:
            raise click.UsageError("--format and --dry-run are for --file.")
        _create({"username": username, **asked, "roles": list(asked["roles"])}, json_form=json_form)
    elif file is not None:
        if any(asked.values()):
            raise click.UsageError("With --file, name, e-mail address and roles stand in the file.")
        form = form or _ENDINGS.get(file.suffix.lower())
        if form is None:
            raise click.UsageError(f"Say in which format {file} is: --format csv|jsonl")
        import_users.create(file, form, dry_run=dry_run, json_form=json_form)


def _create(given: dict[str, Any], *, json_form: bool) -> None:
    async def action(tx: Transaction) -> users.User:
        new = user_rows.checked(schemas.user, given, await users.role_ids(tx))
        return await users.create(tx, database_session.operator(), **new)

    created = user_rows.of(database_session.in_transaction(action))
    done = {"action": "user_create", "changed": True, **created}
    output.done(f"Created {created['username']}.", **done, json_form=json_form)
