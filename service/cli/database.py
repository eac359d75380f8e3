"""`db`: moving, saving and examining the database."""

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
    """An address as DATABASE_URL has it."""

    name = "address"

    def convert(self, value: Any, param: Any, ctx: Any) -> DatabaseUrl:
        """Read it."""
        try:
            return config.database(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


class _AddressFile(click.ParamType[DatabaseUrl]):
    """A file that holds an address, as DATABASE_URL_FILE has it."""

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
    """Return the database that one of two options names. Raises UsageError if both do."""
    if by_address is not None and by_file is not None:
        raise click.UsageError(f"Give '--{name}' or '--{name}-file', not both.")
    return by_address or by_file


@click.group("db")
def db_group() -> None:
    """Move the database, save a copy of it, look whether it is sound."""


@db_group.command()
@click.option(
    "--from",
    "source",
    type=_Address(),
    envvar="DB_COPY_FROM",
    show_envvar=True,
    help="The address of the database to copy; by default DATABASE_URL.",
)
@click.option(
    "--from-file",
    "source_file",
    type=_AddressFile(),
    envvar="DB_COPY_FROM_FILE",
    show_envvar=True,
    help="A file that holds it.",
)
@click.option(
    "--to",
    "target",
    type=_Address(),
    envvar="DB_COPY_TO",
    show_envvar=True,
    help="The address of an empty database.",
)
@click.option(
    "--to-file",
    "target_file",
    type=_AddressFile(),
    envvar="DB_COPY_TO_FILE",
    show_envvar=True,
    help="A file that holds it.",
)
@click.option("--dry-run", is_flag=True, help="Read and count, and change nothing.")
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
    """Copy everything to an empty database, of the same kind or the other.

    An address with a password does not belong on a command line, where every user of the machine
    can read it: put it in a file or in the environment.

    It gets its tables, and then all rows in one transaction, or none: counts and checksums of both
    are compared before it is kept. End the servers first; whoever writes meanwhile is refused.
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
    said = f"{rows} rows would be copied" if dry_run else f"Copied {rows} rows; all agree"
    output.done(
        f"{said}: {source} to {target}.",
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
    """Copy SQLite's file to FILE while it is served; PostgreSQL has its own pg_dump for this."""
    where = config.load_database()
    size = db.save(where, file)
    output.done(
        f"Copied {where} to {file}, {size} bytes; it is whole.",
        action="db_backup",
        changed=True,
        file=str(file),
        bytes=size,
        json_form=json_form,
    )


@db_group.command()
@output.as_json
def check(json_form: bool) -> None:
    """Look at the whole database, and whether it is sound. Exits with 1 if it is not."""
    where = config.load_database()
    findings = check_database.run(where)
    output.show([asdict(each) for each in findings], json_form=json_form)
    if any(each.verdict == "bad" for each in findings):
        raise Fault(f"The database {where} is not sound.")
