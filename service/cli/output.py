"""What commands print: tables for people, JSON for programs."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import click
from tabulate import tabulate

as_json = click.option("--json", "json_form", is_flag=True, help="Print JSON, for programs.")
yes = click.option("--yes", is_flag=True, help="Do not ask.")


def show(rows: Sequence[Mapping[str, Any]], *, json_form: bool, empty: str = "Nothing.") -> None:
    """Print rows: a table with their keys as headers, or a JSON list."""
    if json_form:
        click.echo(json.dumps(rows, indent=2))
    elif rows:
        click.echo(
            tabulate([_in_words(row) for row in rows], headers="keys", disable_numparse=True)
        )
    else:
        click.echo(empty)


def show_one(row: Mapping[str, Any], *, json_form: bool) -> None:
    """Print one thing: a line for each of its facts, or a JSON object."""
    if json_form:
        click.echo(json.dumps(row, indent=2))
    else:
        click.echo(tabulate(_in_words(row).items(), tablefmt="plain", disable_numparse=True))


def done(sentence: str, **facts: Any) -> None:
    """Say what was done. With `json_form=True` among the facts, say it in JSON."""
    if facts.pop("json_form", False):
        click.echo(json.dumps(facts))
    else:
        click.echo(sentence)


def _in_words(row: Mapping[str, Any]) -> dict[str, Any]:
    return {_plain(name.replace("_", " ")): _plain(_word(value)) for name, value in row.items()}


def _plain(value: Any) -> Any:
    """Escape what could move the cursor, break the line or hide something."""
    if not isinstance(value, str) or value.isprintable():
        return value
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in value)


def _word(value: Any) -> Any:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return (
            ", ".join(
                str(item.get("role", item) if isinstance(item, dict) else item) for item in value
            )
            or "-"
        )
    return value
