"""Commands, run as a person runs them, or in this process, which is quicker."""

import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import click
import pytest

from service.cli import main
from service.config import Database
from tests.conftest import ROOT, clean_environ, command
from tests.support.stores import Store

Run = Callable[..., tuple[int, str, str]]


def verbs_of(group: click.Group) -> dict[str, click.Command]:
    """Return what follows a verb, or the name of the program, each by its name."""
    context = click.Context(group)
    found = {name: group.get_command(context, name) for name in group.list_commands(context)}
    return {name: verb for name, verb in found.items() if verb is not None}


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """Return a folder with settings and nothing else."""
    with (tmp_path / ".env").open("a") as file:  # it may name a database already
        file.write((ROOT / ".env.test").read_text())
    return tmp_path


@pytest.fixture
def folder(empty: Path, where: Database) -> Path:  # noqa: ARG001  # it is named in the settings
    """Return a folder with settings and a database with the demo users."""
    return empty


@pytest.fixture
def unmade(empty: Path, store: Store) -> tuple[Path, str]:
    """Return a folder with settings and a database without tables, and how that is called."""
    where = store.empty(empty)
    return empty, "data/latchkey.db" if where.path else str(where)


@pytest.fixture
def run(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return what runs a command in this process: its exit code, its output and its errors."""
    monkeypatch.chdir(folder)

    def run_main(*words: str, stdin: str | bytes = "", **settings: str) -> tuple[int, str, str]:
        monkeypatch.setattr(os, "environ", clean_environ(**settings))
        monkeypatch.setattr(sys, "argv", ["service", *words])
        data = stdin.encode() if isinstance(stdin, str) else stdin
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return run_main


def done(folder: Path, *arguments: str, stdin: str = "", **settings: str) -> str:
    """Start a command that succeeds; return what it prints."""
    ended = command(folder, *arguments, stdin=stdin, **settings)
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout


def refused(folder: Path, *arguments: str, stdin: str = "", **settings: str) -> str:
    """Start a command that fails and prints nothing; return its message."""
    ended = command(folder, *arguments, stdin=stdin, **settings)
    assert (ended.returncode, ended.stdout) == (1, ""), ended.stderr
    return message(ended)


def message(ended: CompletedProcess[str]) -> str:
    """Return what a command says on standard error, which is never a traceback."""
    assert "Traceback" not in ended.stderr
    assert "Exception ignored" not in ended.stderr
    assert ended.stderr.strip()
    return ended.stderr
