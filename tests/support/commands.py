"""Commands, run in this process, which is quick, or as programs."""

import asyncio
import contextlib
import contextvars
import io
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from unittest import mock

import click
import pytest

from service.cli import main
from service.config import DatabaseUrl
from service.telemetry import logs
from tests.support.environment import ROOT, clean_environ
from tests.support.stores import Store

Run = Callable[..., tuple[int, str, str]]

_SERVERS = {"serve", "idp"}
"""Verbs that change the process they run in: its signals, its limits, its log."""


def command(
    folder: Path, *arguments: str, stdin: str | bytes = "", **settings: str
) -> CompletedProcess[str]:
    """Run `python -m service …` in a folder, with nothing but these settings in the environment.

    In this process, as far as that goes: a server is a program, and so is a command beside an event
    loop or in another thread than the first.
    """
    if _SERVERS.intersection(arguments[:1]) or not _is_free():
        return program(folder, *arguments, stdin=stdin, **settings)
    code, out, err = _run_here(folder, arguments, stdin, settings)
    return CompletedProcess(["service", *arguments], code, out, err)


def program(
    folder: Path, *arguments: str, stdin: str | bytes = "", **settings: str
) -> CompletedProcess[str]:
    """Run the same as a program of its own."""
    ended = subprocess.run(
        [sys.executable, "-m", "service", *arguments],
        cwd=folder,
        env=clean_environ(**settings),
        input=stdin.encode() if isinstance(stdin, str) else stdin,
        capture_output=True,
        timeout=60,
        check=False,
    )
    out, err = (_as_text(printed) for printed in (ended.stdout, ended.stderr))
    return CompletedProcess(ended.args, ended.returncode, out, err)


def _as_text(printed: bytes) -> str:
    return printed.decode(errors="replace").replace("\r\n", "\n")


def _is_free() -> bool:
    """Tell whether this thread is one in which a command can run: it has one event loop."""
    if threading.current_thread() is not threading.main_thread():
        return False
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return True
    return False


def _run_here(
    folder: Path, words: tuple[str, ...], stdin: str | bytes, settings: dict[str, str]
) -> tuple[int, str, str]:
    data = stdin.encode() if isinstance(stdin, str) else stdin
    given = io.TextIOWrapper(io.BytesIO(data), "utf-8", "surrogateescape")
    printed, said = io.BytesIO(), io.BytesIO()
    out = io.TextIOWrapper(printed, "utf-8", "surrogateescape", write_through=True)
    err = io.TextIOWrapper(said, "utf-8", "backslashreplace", write_through=True)
    environ = clean_environ(COLUMNS="80", **settings)
    with (
        contextlib.chdir(folder),
        mock.patch.object(os, "environ", environ),
        mock.patch.multiple(sys, argv=["service", *words], stdin=given, stdout=out, stderr=err),
        _first_descriptor_kept(),
        pytest.raises(SystemExit) as ended,
    ):
        contextvars.copy_context().run(_main, err)
    code = int(ended.value.code or 0)
    return code, _as_text(printed.getvalue()), _as_text(said.getvalue())


def _main(err: io.TextIOWrapper) -> None:
    with logs.separate("info", "text", err):
        main()


@contextlib.contextmanager
def _first_descriptor_kept() -> Iterator[None]:
    """Take back what a command does to standard output that cannot be written to."""
    kept = os.dup(1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


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
def folder(empty: Path, where: DatabaseUrl) -> Path:  # noqa: ARG001  # it is named in the settings
    """Return a folder with settings and a database with the demo users."""
    return empty


@pytest.fixture
def unmade(empty: Path, store: Store) -> tuple[Path, str]:
    """Return a folder with settings and a database without tables, and how that is called."""
    where = store.empty(empty)
    return empty, "data/latchkey.db" if where.path else str(where)


@pytest.fixture
def run(folder: Path) -> Run:
    """Return what runs a command in this process: its exit code, its output and its errors."""

    def run_main(*words: str, stdin: str | bytes = "", **settings: str) -> tuple[int, str, str]:
        return _run_here(folder, words, stdin, settings)

    return run_main


def done(folder: Path, *arguments: str, stdin: str = "", **settings: str) -> str:
    """Run a command that succeeds; return what it prints."""
    ended = command(folder, *arguments, stdin=stdin, **settings)
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout


def refused(folder: Path, *arguments: str, stdin: str = "", **settings: str) -> str:
    """Run a command that fails and prints nothing; return its message."""
    ended = command(folder, *arguments, stdin=stdin, **settings)
    assert (ended.returncode, ended.stdout) == (1, ""), ended.stderr
    return message(ended)


def message(ended: CompletedProcess[str]) -> str:
    """Return what a command says on standard error, which is never a traceback."""
    assert "Traceback" not in ended.stderr
    assert "Exception ignored" not in ended.stderr
    assert ended.stderr.strip()
    return ended.stderr
