"""`db`: copy, back up and check the database."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from service import config, db
from service.cli import output
from service.config import DatabaseUrl
from service.db_tools import check_database, copy_database
from service.errors import Fault


class _Address(click.ParamType[DatabaseUrl]):
    """A database URL, as in DATABASE_URL."""

    name = "address"

    def convert(self, value: Any, param: Any, ctx: Any) -> DatabaseUrl:
        """Read it."""
        try:
            return config.database(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


class _AddressFile(click.ParamType[DatabaseUrl]):
    """The path of a file that contains a database URL, as in DATABASE_URL_FILE."""

    name = "file"

    def convert(self, value: Any, param: Any, ctx: Any) -> DatabaseUrl:
        """Read it."""
        try:
            return config.database_in(Path(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


def _side(
    name: str, *, by_address: DatabaseUrl | None, by_file: DatabaseUrl | None
) -> DatabaseUrl | None:
    """Return the database that one of two options names. Raises UsageError if both are used."""
    if by_address is not None and by_file is not None:
        raise click.UsageError(f"Use '--{name}' or '--{name}-file', not both.")
    return by_address or by_file


@click.group("db")
def db_group() -> None:
    """Copy, back up or check the database."""


@db_group.command()
@click.option(
    "--from",
    "source",
    type=_Address(),
    envvar="DB_COPY_FROM",
    show_envvar=True,
    help="The URL of the database to copy. Default: DATABASE_URL.",
)
@click.option(
    "--from-file",
    "source_file",
    type=_AddressFile(),
    envvar="DB_COPY_FROM_FILE",
    show_envvar=True,
    help="A file that contains the URL.",
)
@click.option(
    "--to",
    "target",
    type=_Address(),
    envvar="DB_COPY_TO",
    show_envvar=True,
    help="The URL of an empty database.",
)
@click.option(
    "--to-file",
    "target_file",
    type=_AddressFile(),
    envvar="DB_COPY_TO_FILE",
    show_envvar=True,
    help="A file that contains the URL.",
)
@click.option("--dry-run", is_flag=True, help="Count the rows without copying them.")
@output.as_json
def copy(
    source: DatabaseUrl | None,
    source_file: DatabaseUrl | None,
    target: DatabaseUrl | None,
    target_file: DatabaseUrl | None,
    *,
    dry_run: bool,
    json_form: bool,
) -> None:
    """Copy all data to an empty database, SQLite or PostgreSQL.

    Every user of this machine can read a command line. If a URL contains a password, use a file or
    an environment variable.

    The command creates the tables and copies all rows in one transaction. It compares the number of
    rows and a checksum of each table before it commits. Stop the servers first: writes to the
    databases fail while the command runs.
    """
    source = _side("from", by_address=source, by_file=source_file) or config.load_database()
    target = _side("to", by_address=target, by_file=target_file)
    if target is None:
        raise click.MissingParameter(param_type="option", param_hint="'--to'")
    if dry_run:
        tables = copy_database.plan(source, target)
    else:
        total = copy_database.count(source)
        hidden = not sys.stderr.isatty()
        bar: Any = click.progressbar(length=total, label="Copying", file=sys.stderr, hidden=hidden)
        with bar:
            tables = copy_database.copy(source, target, bar.update)
    if not json_form:
        output.show([asdict(each) for each in tables], json_form=False)
    rows = sum(each.rows for each in tables)
    result = f"{rows} rows would be copied" if dry_run else f"Copied and compared {rows} rows"
    output.done(
        f"{result}: {source} to {target}.",
        action="db_copy",
        changed=not dry_run,
        dry_run=dry_run,
        tables=[asdict(each) for each in tables],
        json_form=json_form,
    )


@db_group.command()
@click.argument("file", type=click.Path(path_type=Path))
@output.as_json
def backup(file: Path, json_form: bool) -> None:
    """Back up the SQLite database to FILE. Servers may run. For PostgreSQL, use pg_dump."""
    where = config.load_database()
    size = db.save(where, file)
    output.done(
        f"Backed up {where} to {file} ({size} bytes). The copy passed the integrity check.",
        action="db_backup",
        changed=True,
        file=str(file),
        bytes=size,
        json_form=json_form,
    )


@db_group.command()
@output.as_json
def check(json_form: bool) -> None:
    """Check the integrity of the database. Exits with 1 if a check fails."""
    where = config.load_database()
    findings = check_database.run(where)
    output.show([asdict(each) for each in findings], json_form=json_form)
    if any(each.verdict == "bad" for each in findings):
        raise Fault(f"The database {where} failed the check. The table lists each finding.")
