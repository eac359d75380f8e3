"""A database that cannot be used: each command says why and what to do, and never hangs."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from service.cli import VERBS
from service.db import requirements
from service.db.postgresql import server_check
from service.db.sqlite import database as sqlite_database
from service.errors import DatabaseFailed
from tests.support.commands import command, done, refused
from tests.support.environment import ROOT, clean_environ, free_port
from tests.support.rights import without_rights
from tests.support.stores import ON_POSTGRESQL

STORES = ("sqlite",)
SOME = (
    ("migrate", "up"),
    ("migrate", "status"),
    ("migrate", "down", "--yes"),
    ("prepare",),
    ("seed",),
    ("user", "list"),
    ("user", "create", "bob"),
    ("user", "password", "bob", "--generate"),
    ("role", "list"),
    ("limits", "list"),
    ("invite", "list"),
    ("audit", "list"),
    ("token", "issue", "admin"),
    ("db", "check"),
    ("db", "copy", "--to", "sqlite:///new.db"),
    ("config", "accept-issuer", "cas"),
    ("config", "check"),
)
CAS = {"CAS_URL": "https://cas.example.org"}
POSTGRESQL = "postgresql://ada@127.0.0.1:1/latchkey"


def without_psycopg(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no import find the driver, as without the extra `postgresql`."""
    for name in list(sys.modules):
        if name.split(".")[0] == "psycopg" or name.startswith("service.db.postgresql."):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "psycopg", None)


def as_it_starts(folder: Path, code: str) -> dict[str, str]:
    """Return the environment of a program that runs `code` first, to simulate a machine."""
    (folder / "start").mkdir()
    (folder / "start" / "sitecustomize.py").write_text(code)
    return {"PYTHONPATH": f"{folder}/start:{ROOT}"}


# --- The library.


@pytest.mark.parametrize("verb", SOME, ids=" ".join)
def test_without_the_driver_each_verb_says_how_to_install_it(
    empty: Path, monkeypatch: pytest.MonkeyPatch, verb: tuple[str, ...]
) -> None:
    without_psycopg(monkeypatch)
    ended = command(empty, *verb, DATABASE_URL=POSTGRESQL, **CAS)
    assert ended.returncode == 1
    assert ended.stderr.startswith("DATABASE_URL is a PostgreSQL URL, but the driver cannot be")
    assert ended.stderr.endswith(f"{sys.executable} -m pip install -e '{ROOT}[postgresql]'\n")
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize("verb", SOME, ids=" ".join)
def test_with_an_old_sqlite_each_verb_says_which_is_needed(
    empty: Path, monkeypatch: pytest.MonkeyPatch, verb: tuple[str, ...]
) -> None:
    """The version is simulated."""
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 34, 0))
    ended = command(empty, *verb, **CAS)
    assert ended.returncode == 1
    assert ended.stderr.startswith("Latchkey needs SQLite 3.35.5 or newer, but ")
    assert (
        " is linked with SQLite 3.34.0. Remove .venv and use a Python with a newer" in ended.stderr
    )
    assert not (empty / "data").exists()


def test_the_oldest_sqlite_is_enough(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 35, 5))
    done(empty, "migrate", "up")


def test_a_sqlite_without_full_text_search_is_named(
    empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requirements, "_has_search", lambda: False)
    assert "Latchkey needs SQLite with FTS5" in refused(empty, "migrate", "up")
    assert not (empty / "data").exists()


NO_SQLITE = """
import sys
for name in [name for name in sys.modules if name.startswith("sqlite3")]:
    del sys.modules[name]  # coverage has loaded it
sys.modules["_sqlite3"] = None
"""


@pytest.mark.parametrize(
    ("code", "settings", "words"),
    [
        ("import sys; sys.modules['psycopg'] = None", {"DATABASE_URL": POSTGRESQL}, "-m pip"),
        ("import sqlite3; sqlite3.sqlite_version_info = (3, 34, 0)", {}, "needs SQLite 3.35.5"),
        (NO_SQLITE, {}, "_sqlite3"),
        ("import sys; sys.modules['aiohttp'] = None", {}, "make .venv/.run"),
        ("import sys; sys.modules['click'] = None", {}, "make .venv/.run"),
    ],
    ids=["no driver", "old SQLite", "no SQLite", "no aiohttp", "no click"],
)
def test_serve_refuses_to_start_and_says_why(
    folder: Path, code: str, settings: dict[str, str], words: str
) -> None:
    """A module of Python's start simulates the machine."""
    environ = {**as_it_starts(folder, code), **settings, "PORT": str(free_port())}
    said = refused(folder, "serve", **environ)
    assert words in said
    assert said.count("\n") == 1


def test_an_old_python_is_named(tmp_path: Path) -> None:
    """The version is simulated."""
    environ = as_it_starts(tmp_path, "import sys; sys.version_info = (3, 9, 2, 'final', 0)")
    said = refused(tmp_path, "serve", **environ)
    assert said.startswith("Latchkey needs Python 3.11 or newer, but ")


@ON_POSTGRESQL
def test_an_old_server_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A newer minimum stands for an older server."""
    monkeypatch.setattr(server_check, "_OLDEST", 99)
    assert "Latchkey needs PostgreSQL 99 or newer, but the server" in refused(
        folder, "user", "list"
    )


# --- The file.


@pytest.fixture
def kinds(empty: Path) -> Path:
    """Return a folder with several things that are no database of Latchkey."""
    (empty / "folder").mkdir()
    os.mkfifo(empty / "pipe")
    (empty / "device").symlink_to("/dev/null")
    (empty / "text").write_text("notes of somebody\n" * 100)
    with closing(sqlite3.connect(empty / "other")) as other:
        for name in ("bookmarks", "moz_places", "a", "b"):
            other.execute(f"CREATE TABLE {name} (id INTEGER)")
        other.commit()
    return empty


NO_FILE = "is not a regular file, or is a broken link. Set DATABASE_URL to the path of a file."
KINDS = {
    "folder": NO_FILE,
    "pipe": NO_FILE,
    "device": NO_FILE,
    "text": "cannot be read: file is not a database.",
    "other": "belongs to another program, with the tables 'a', 'b', 'bookmarks', …. Set",
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_database_of_latchkey_is_named_and_left_alone(kinds: Path, kind: str) -> None:
    path = kinds / kind
    before = path.read_bytes() if path.is_file() else b""
    for verb in (("migrate", "up"), ("prepare",), ("user", "list"), ("seed",), ("serve",)):
        said = refused(kinds, *verb, DATABASE_URL=f"sqlite:///{kind}", PORT=str(free_port()))
        assert said.startswith(f"The database {kind} {KINDS[kind]}"), verb
    assert not path.is_file() or path.read_bytes() == before


def test_a_damaged_file_is_called_damaged(folder: Path) -> None:
    path = folder / "data" / "latchkey.db"
    data = path.read_bytes()
    path.write_bytes(data[:4096] + b"\x55" * (len(data) - 4096))
    for verb in (("migrate", "up"), ("user", "list"), ("user", "create", "bob"), ("serve",)):
        said = refused(folder, *verb, PORT=str(free_port()))
        assert "it is damaged; restore a backup (docs/databases.md)" in said, verb


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        (0o444, "cannot be used: it cannot be written to."),
        (0o000, "cannot be read: permission denied; the user"),
    ],
    ids=["read-only", "closed"],
)
def test_a_file_without_permission_is_named(folder: Path, mode: int, words: str) -> None:
    path = folder / "data" / "latchkey.db"
    path.chmod(mode)
    for verb in (("user", "create", "bob"), ("serve",)):
        ended = subprocess.run(
            [*without_rights(), sys.executable, "-m", "service", *verb],
            cwd=folder,
            env=clean_environ(PORT=str(free_port())),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert ended.returncode == 1
        assert words in ended.stderr
        assert "responding" not in ended.stderr


# --- Which errors pass.

PASSING = {"BUSY", "LOCKED", "FULL", "IOERR", "CANTOPEN", "NOMEM", "INTERRUPT", "PROTOCOL"}
PASSING |= {"BUSY_SNAPSHOT", "IOERR_WRITE", "READONLY_DBMOVED", "SCHEMA"}
LASTING = {"ERROR", "CORRUPT", "NOTADB", "READONLY", "READONLY_DIRECTORY", "PERM", "AUTH"}
LASTING |= {"CORRUPT_VTAB", "FORMAT", "TOOBIG", "MISUSE", "INTERNAL", "NOLFS", "MISMATCH"}


@pytest.mark.parametrize("name", sorted(PASSING | LASTING))
def test_an_error_that_stays_is_not_told_as_one_that_passes(name: str) -> None:
    error = sqlite3.OperationalError(name)
    error.sqlite_errorcode = getattr(sqlite3, f"SQLITE_{name}")
    told = sqlite_database._unavailable(error)
    assert isinstance(told, DatabaseFailed) == (name in LASTING)
    assert ("Retry-After" in told.headers) == (name in PASSING)
    assert (told.status, "Try again" in told.detail) == (
        (500, False) if name in LASTING else (503, True)
    )


def test_no_verb_that_uses_the_database_is_left_out() -> None:
    without = {"serve", "idp", "key", "healthcheck"}
    assert {verb[0] for verb in SOME} | without == VERBS.keys()
