"""`migrate` and `seed`."""

from pathlib import Path

import click

from service import config
from service.cli import database_session, output
from service.db_tools import migrations, schema_state
from service.errors import Fault
from service.users import seeds

_SIGN_OUT = (
    "Ended sessions may be valid again: after `migrate up`, run `python -m service user sign-out"
    " --all`."
)


@click.group()
def migrate() -> None:
    """Create, update or roll back the tables of the database."""


@migrate.command()
@output.as_json
def up(json_form: bool) -> None:
    """Apply all pending migrations. Create the database and its folder if they do not exist."""
    where = config.load_database()
    names = migrations.up(where)
    sentence = f"Applied {', '.join(names)}." if names else f"{where} is up to date."
    if added := schema_state.newer(where):
        sentence += f" A newer version has added {', '.join(added)}."
    _done("migrate_up", sentence, json_form=json_form, migrations=names)


@migrate.command()
@click.option(
    "--steps",
    default=1,
    show_default=True,
    type=click.IntRange(1),
    help="The number of migrations.",
)
@output.yes
@output.as_json
def down(steps: int, yes: bool, json_form: bool) -> None:
    """Roll back the newest migrations. This deletes their tables and data.

    Sessions that have ended may be valid again: run user sign-out --all after migrate up.
    """
    where = config.load_database()
    if not yes:
        question = f"Roll back the newest {steps} migration(s) of {where} and delete their data?"
        click.confirm(question, abort=True, err=json_form)
    names = migrations.down(where, steps)
    sentence = "There is nothing to roll back."
    if names:
        sentence = f"Rolled back {', '.join(names)}. {_SIGN_OUT}"
    _done("migrate_down", sentence, json_form=json_form, migrations=names)


@migrate.command()
@output.as_json
def status(json_form: bool) -> None:
    """List all migrations and when each was applied. Exits with 1 if one is pending."""
    state = schema_state.status(config.load_database())
    rows = [{"migration": name, "applied_at": applied_at} for name, applied_at in state]
    output.show(rows, json_form=json_form)
    if any(applied_at is None for _, applied_at in state):
        raise click.exceptions.Exit(1)


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@output.as_json
def seed(file: Path | None, json_form: bool) -> None:
    """Create the users of FILE that do not exist yet. Default: the demo users.

    FILE is JSON: {"users": [{"username": "ada", "roles": ["editor"]}]}. Existing users stay
    unchanged. FILE is required in production.
    """
    if file is None and config.environment() == "production":
        raise Fault(
            "ENVIRONMENT is production (or unset), so FILE is required. For the demo users, set"
            " ENVIRONMENT=development"
        )
    seed = seeds.read(file or seeds.DEMO)
    created = database_session.with_database(lambda database: seeds.apply(database, seed))
    sentence = f"Created {', '.join(created)}." if created else "Nothing to do: all users exist."
    _done("seed", sentence, json_form=json_form, users=created)


@click.command()
def prepare() -> None:
    """Migrate the database and, in development, create the demo users."""
    settings = config.load()
    applied = migrations.up(settings.database)
    if applied:
        click.echo(f"Migrated the database {settings.database}.")
    if settings.environment == "development":
        demo = seeds.read(seeds.DEMO)
        created = database_session.with_database(lambda database: seeds.apply(database, demo))
        if created:
            click.echo(f"Created the demo users {', '.join(created)}.")


def _done(action: str, sentence: str, *, json_form: bool, **names: list[str]) -> None:
    changed = any(names.values())
    output.done(sentence, action=action, changed=changed, **names, json_form=json_form)
