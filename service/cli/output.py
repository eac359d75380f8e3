"""The output of commands: text tables, or JSON for programs."""

import importlib
import json
import os
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import Any

import click

from service.errors import Fault, InvalidName, Problem
from service.parsing import harmless

as_json = click.option("--json", "json_form", is_flag=True, help="Print JSON.")
yes = click.option("--yes", is_flag=True, help="Do not ask for confirmation.")

Rows = Sequence[Mapping[str, Any]]


def show(rows: Rows, *, json_form: bool, empty: str = "Nothing.") -> None:
    """Print rows: a table with their keys as headers, or a JSON list."""
    if json_form:
        click.echo(json.dumps(rows, indent=2))
    elif rows:
        click.echo(_tabulate([_in_words(row) for row in rows], headers="keys"))
    else:
        click.echo(empty)


async def show_pages(pages: AsyncIterator[Rows], *, json_form: bool, empty: str) -> None:
    """Print rows page by page, as `show` does. JSON has one row per line."""
    write = _JsonList() if json_form else _Table(empty)
    async for rows in pages:
        if rows:
            click.echo("\n".join(write.lines(rows)))
    click.echo(write.end(), nl=bool(write.end()))


def show_one(row: Mapping[str, Any], *, json_form: bool) -> None:
    """Print one row: a line for each of its values, or a JSON object."""
    if json_form:
        click.echo(json.dumps(row, indent=2))
    else:
        click.echo(_tabulate(_in_words(row).items(), tablefmt="plain"))


def _tabulate(rows: Iterable[object], **options: str) -> str:
    """Return a table. The library is loaded for it: the server prints none."""
    library = importlib.import_module("tabulate")
    return str(library.tabulate(rows, disable_numparse=True, **options))


def done(sentence: str, **facts: Any) -> None:
    """Print the result of a command: `sentence`, or with `json_form=True` the facts as JSON.

    Commands that change data include `action`, as in the audit log, and `changed`.
    """
    if facts.pop("json_form", False):
        click.echo(json.dumps(facts))
    else:
        click.echo(sentence)


def problem(refusal: Problem) -> str:
    """Return the message of a problem for the command line."""
    faults = [f"{error['attribute']}: {error['message']}" for error in refusal.errors]
    return "\n".join(faults) or refusal.detail


class _JsonList:
    """A JSON array with one member per line."""

    def __init__(self) -> None:
        self._is_empty = True

    def lines(self, rows: Rows) -> list[str]:
        """Return the lines of the next rows."""
        begins = [("[" if self._is_empty else ",") for _ in rows[:1]] + [","] * (len(rows) - 1)
        self._is_empty = False
        return [f"{begin}{json.dumps(row)}" for begin, row in zip(begins, rows, strict=True)]

    def end(self) -> str:
        """Return the last line."""
        return "[]" if self._is_empty else "]"


class _Table:
    """A table whose columns are as wide as the widest value so far."""

    def __init__(self, empty: str) -> None:
        self._empty = empty
        self._widths: list[int] = []

    def lines(self, rows: Rows) -> list[str]:
        """Return the lines of the next rows, the first time with the header."""
        shown = [_in_words(row) for row in rows]
        texts = [[str(value) for value in row.values()] for row in shown]
        names = list(shown[0])
        is_first, before = not self._widths, self._widths or [len(name) for name in names]
        self._widths = [
            max(width, *(len(text) for text in column))
            for width, column in zip(before, zip(*texts, strict=True), strict=True)
        ]
        head = [names, ["-" * width for width in self._widths]] if is_first else []
        return [self._line(cells) for cells in (*head, *texts)]

    def _line(self, cells: list[str]) -> str:
        pairs = zip(cells, self._widths, strict=True)
        return "  ".join(cell.ljust(width) for cell, width in pairs).rstrip()

    def end(self) -> str:
        """Return the last line."""
        return "" if self._widths else self._empty


def _in_words(row: Mapping[str, Any]) -> dict[str, Any]:
    return {_plain(name.replace("_", " ")): _plain(_word(value)) for name, value in row.items()}


def _plain(value: Any) -> Any:
    """Escape harmful characters, such as terminal control sequences."""
    return harmless.escape(value) if isinstance(value, str) else value


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


def exit_status(work: Callable[[], int | None]) -> int:
    """Run `work` and return its exit status. Print one message on standard error for an error."""
    try:
        return work() or 0
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        return _failed("Cancelled. Nothing was changed.")
    except (Fault, InvalidName) as error:
        return _failed(str(error))
    except Problem as error:
        return _failed(problem(error))
    except ImportError as error:
        why = str(error).splitlines()[0]
        return _failed(f"Latchkey's libraries cannot be loaded ({why}). Run: make .venv/.run")
    except OSError as error:
        if error.filename is not None:
            return _failed(f"{error.filename} cannot be used: {error.strerror}.")
        # The buffer of standard output would fail again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        if isinstance(error, BrokenPipeError):
            return 1
        return _failed(f"Cannot write the output: {error.strerror}.")


def _failed(why: str) -> int:
    click.echo(why, err=True)
    return 1
