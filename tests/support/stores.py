"""The two databases that every test of the store runs on, each with the demo users if need be."""

import contextlib
import itertools
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import psycopg
import pytest

from service import db
from service.config import DatabaseUrl, load_database
from service.db.postgresql import connect
from service.db.sqlite import database as sqlite
from tests.support.contents import Contents
from tests.support.postgresql import SUPERUSER, Cluster

KINDS = ("sqlite", "postgresql")
ON_SQLITE = pytest.mark.parametrize("store", ["sqlite"], indirect=True)
"""For what only a file can suffer."""
ON_POSTGRESQL = pytest.mark.parametrize("store", ["postgresql"], indirect=True)
"""For what only a server can do."""

Fill = Callable[[Path], None]


def database_at(url: str) -> DatabaseUrl:
    """Return a database by its address."""
    return load_database({"DATABASE_URL": url}, Path("no.env"))


def run_sql(where: DatabaseUrl, sql: str, *values: object) -> list[tuple[Any, ...]]:
    """Run a statement, past all of ours, and return its rows. Its placeholders are `?`."""
    if where.path is None:
        with psycopg.connect(where.url) as server:
            cursor = server.execute(sql.replace("?", "%s").encode(), values or None)
            return [] if cursor.description is None else cursor.fetchall()
    with contextlib.closing(sqlite3.connect(where.path)) as connection, connection:
        return connection.execute(sql, values).fetchall()


@contextlib.contextmanager
def writing(where: DatabaseUrl) -> Iterator[Callable[[], None]]:
    """Hold the lock of writers; yield what lets it go."""
    if where.path is None:
        with psycopg.connect(where.url) as server:
            server.execute(f"SELECT pg_advisory_xact_lock({db.WRITERS})".encode())
            yield server.rollback
    else:
        with contextlib.closing(sqlite3.connect(where.path, check_same_thread=False)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield other.rollback


class Store(Protocol):
    """Where the tests' databases come from."""

    kind: str

    def empty(self, folder: Path) -> DatabaseUrl:
        """Return where a database may come to be; of PostgreSQL it is there, without tables."""

    def seeded(self, folder: Path) -> DatabaseUrl:
        """Return a new database with the demo users."""


@dataclass
class Files:
    """SQLite: a file in the folder `data` of each folder."""

    pattern: Callable[[], Path]
    kind: str = "sqlite"

    def empty(self, folder: Path) -> DatabaseUrl:
        """Return the place of a file."""
        return database_at(f"sqlite:///{folder}/data/latchkey.db")

    def seeded(self, folder: Path) -> DatabaseUrl:
        """Copy the pattern."""
        (folder / "data").mkdir(exist_ok=True)
        shutil.copy(self.pattern() / "data" / "latchkey.db", folder / "data")
        return self.empty(folder)


@dataclass
class Databases:
    """PostgreSQL: a database of its own for each test or server, and `.env` to name it."""

    cluster: Cluster
    pattern: Callable[[], Path]
    kind: str = "postgresql"
    numbers: Iterator[int] = field(default_factory=itertools.count)
    unchanged: list[DatabaseUrl] = field(default_factory=list)
    contents: Contents | None = None

    def empty(self, folder: Path) -> DatabaseUrl:
        """Make a database without tables."""
        return self._make(folder, "template1")

    def seeded(self, folder: Path) -> DatabaseUrl:
        """Copy the pattern."""
        return self._make(folder, _name_of(database_at_env(self.pattern())))

    @contextlib.contextmanager
    def lent(self, folder: Path) -> Iterator[DatabaseUrl]:
        """Lend a database with the demo users; one that can be made so again is lent again."""
        database = self.unchanged.pop() if self.unchanged else None
        if database is None:
            database = self.seeded(folder)
        else:
            _note(folder, database)
        yield database
        if self.contents is None:
            self.contents = Contents.of(database_at_env(self.pattern()))
        if self.contents.restore(database):
            self.unchanged.append(database)
        else:
            self.drop(database)

    def as_a_stranger(self, database: DatabaseUrl) -> DatabaseUrl:
        """Return it as somebody sees it who may create tables in it, and no extension."""
        with contextlib.suppress(psycopg.errors.DuplicateObject):
            self.cluster.run("CREATE ROLE stranger LOGIN")
        name = _name_of(database)
        self.cluster.run("GRANT CREATE ON SCHEMA public TO stranger", database=name)
        return database_at(database.url.replace(SUPERUSER, "stranger", 1))

    def drop(self, database: DatabaseUrl) -> None:
        """Delete a database, whoever uses it."""
        self.cluster.run(f"DROP DATABASE {_name_of(database)} WITH (FORCE)")

    def _make(self, folder: Path, pattern: str) -> DatabaseUrl:
        name = f"latchkey_{next(self.numbers)}"
        self.cluster.run(f"CREATE DATABASE {name} TEMPLATE {pattern} STRATEGY file_copy")
        database = database_at(self.cluster.url(name))
        _note(folder, database)
        return database


def _note(folder: Path, database: DatabaseUrl) -> None:
    """Let the settings in a folder name a database."""
    with (folder / ".env").open("a") as file:
        file.write(f"\nDATABASE_URL={database.url}\n")


def _name_of(database: DatabaseUrl) -> str:
    return database.shown.rpartition("/")[2]


def database_at_env(folder: Path) -> DatabaseUrl:
    """Return the database that the settings in a folder name."""
    return load_database({}, folder / ".env")


async def watched(opened: db.Database, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that every statement is put into, as the driver gets it."""
    statements: list[str] = []
    if isinstance(opened, sqlite.Database):
        readers = (opened._reader._connection, opened.feed._connection)
        for connection in (*readers, opened._writer):
            await connection.set_trace_callback(statements.append)
    else:
        run = connect.run

        async def noted(connection: Any, query: bytes, values: Any = None) -> Any:
            if not query.startswith(b"SET "):  # what a new connection is told
                statements.append(query.decode())
            return await run(connection, query, values)

        monkeypatch.setattr(connect, "run", noted)
    return statements


@contextlib.contextmanager
def unreachable(database: DatabaseUrl) -> Iterator[None]:
    """Keep everybody from reading and writing a database."""
    with _locked(database.path) if database.path else _closed(database):
        yield


_LOCK = """
import fcntl, signal, sys
with open(sys.argv[1], "r+b") as shared:
    signal.alarm(10)
    fcntl.lockf(shared, fcntl.LOCK_EX, 5, 123)
    signal.alarm(0)
    print("locked", flush=True)
    sys.stdin.read()
"""
"""A program that holds all read locks of a SQLite file until its input ends.

The locks are those of SQLite's wal.c: five bytes from the 123rd of the shared-memory file. They are
of a process: a server in a thread of this one would not notice ours.
"""


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Let nobody read a SQLite file."""
    with subprocess.Popen(
        [sys.executable, "-IS", "-c", _LOCK, f"{path}-shm"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as locking:
        assert locking.stdout is not None
        assert locking.stdout.readline() == b"locked\n"
        yield
        locking.communicate(timeout=10)
    assert locking.returncode == 0


@contextlib.contextmanager
def _closed(database: DatabaseUrl) -> Iterator[None]:
    """Let nobody into a database of PostgreSQL, and turn out who is there."""
    name = _name_of(database)
    with psycopg.connect(database.url, dbname="postgres", autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false".encode())
        turn_out = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
        while connection.execute(turn_out, (name,)).rowcount:
            time.sleep(0.01)
        yield
        connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true".encode())
