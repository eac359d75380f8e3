"""`user create`: create one user, or all users of a file."""

from pathlib import Path
from typing import Any

import click

from service import schemas, users
from service.cli import database_session, import_users, output, user_rows
from service.db import Transaction
from service.schemas import import_files

_ENDINGS = {".csv": "csv", ".txt": "csv", ".tsv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}


@click.command()
@click.argument("username", required=False)
@click.option("--name", help="The full name.")
@click.option("--email", help="The e-mail address.")
@click.option("--role", "roles", multiple=True, help="A role to grant; repeatable.")
@click.option("--disabled", is_flag=True, help="Create the user disabled.")
@click.option("--file", type=click.Path(exists=True, dir_okay=False, allow_dash=True,
              path_type=Path), help="Create all users of a file; - is standard input.")  # fmt: skip
@click.option("--format", "form", type=click.Choice(import_files.FORMATS),
              help="The format of --file. Default: by its suffix, .csv or .jsonl.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Check the file without creating users.")
@output.as_json
def create(username: str | None, file: Path | None, json_form: bool, **asked: Any) -> None:
    """Create a user. With --file, create all users of a file, or none if one is invalid.

    \b
    A CSV file has a header line, then one user per line:
      username,name,email,roles,disabled
      ada,Ada Lovelace,ada@example.org,editor reviewer,false
    Only username is required. Separate roles with spaces or semicolons. The
    separator of values can also be a semicolon or a tab, as Excel writes it.

    \b
    A JSON Lines file has one user per line, as in the API:
      {"username": "ada", "name": "Ada Lovelace", "roles": ["editor"]}
    """  # noqa: D301  # the backslashes are click's mark of lines to keep
    form, dry_run = asked.pop("form"), asked.pop("dry_run")
    if (username is None) == (file is None):
        raise click.UsageError("Use either USERNAME or --file.")
    if username is not None:
        if form or dry_run:
            raise click.UsageError("--format and --dry-run need --file.")
        _create({"username": username, **asked, "roles": list(asked["roles"])}, json_form=json_form)
    elif file is not None:
        if any(asked.values()):
            raise click.UsageError(
                "With --file, set names, e-mail addresses and roles in the file."
            )
        form = form or _ENDINGS.get(file.suffix.lower())
        if form is None:
            raise click.UsageError(f"Unknown format of {file}. Use --format csv or --format jsonl.")
        import_users.create(file, form, dry_run=dry_run, json_form=json_form)


def _create(given: dict[str, Any], *, json_form: bool) -> None:
    async def action(tx: Transaction) -> users.User:
        new = user_rows.checked(schemas.user, given, await users.role_ids(tx))
        return await users.create(tx, database_session.operator(), **new)

    created = user_rows.of(database_session.in_transaction(action))
    done = {"action": "user_create", "changed": True, **created}
    output.done(f"Created {created['username']}.", **done, json_form=json_form)
