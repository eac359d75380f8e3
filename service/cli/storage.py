"""`db`: moving, saving and examining the database."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from service import config, copying, db, soundness
from service.cli import output
from service.config import Database
from service.errors import Fault


class _Address(click.ParamType[Database]):
    """An address as DATABASE_URL has it."""

    name = "address"

    def convert(self, value: Any, param: Any, ctx: Any) -> Database:
        """Read it."""
        try:
            return config.database(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.group("db")
def db_group() -> None:
    """Move the database, save a copy of it, look whether it is sound."""


@db_group.command()
@click.option("--from", "source", type=_Address(), help="Which one; by default DATABASE_URL.")
@click.option("--to", "target", type=_Address(), required=True, help="An empty one.")
@click.option("--dry-run", is_flag=True, help="Read and count, and change nothing.")
@output.as_json
def copy(source: Database | None, target: Database, dry_run: bool, json_form: bool) -> None:
    """Copy everything to an empty database, of the same kind or the other.

    It gets its tables, and then all rows in one transaction, or none: counts and checksums of both
    are compared before it is kept. End the servers first; whoever writes meanwhile is refused.
    """
    source = source or config.load_database()
    if dry_run:
        tables = copying.plan(source, target)
    else:
        total = copying.count(source)
        hidden = not sys.stderr.isatty()
        bar: Any = click.progressbar(length=total, label="Copying", file=sys.stderr, hidden=hidden)
        with bar:
            tables = copying.copy(source, target, bar.update)
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
    findings = soundness.look(where)
    output.show([asdict(each) for each in findings], json_form=json_form)
    if any(each.verdict == "bad" for each in findings):
        raise Fault(f"The database {where} is not sound.")
