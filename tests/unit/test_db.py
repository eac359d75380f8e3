"""The database: plain dicts, and transactions that happen whole or not at all."""

import asyncio
import itertools
import re
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiosqlite
import pytest

from service.db import ConstraintError, Database, reason
from service.db.sqlite import database as sqlite
from service.db.sqlite import sync
from service.errors import DatabaseUnavailable, Fault
from tests.support.stores import ON_SQLITE

LOCK = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
"""


def test_a_reason_is_one_line_without_the_questions_of_a_driver() -> None:
    said = "connection failed: refused\n\tIs the server running on that host?"
    assert reason(OSError(said)) == "connection failed: refused"
    assert reason(OSError("one.\n  two.")) == "one.; two"
    assert reason(OSError('near "?": syntax error')) == 'near "?": syntax error'


async def write(database: Database, *roles: str, then: str = "SELECT 1") -> None:
    """Create roles and run another statement, in one transaction."""
    async with database.transaction() as tx:
        for role in roles:
            await tx.execute("INSERT INTO roles (role) VALUES (?)", (role,))
        await tx.execute(then)


async def written(database: Database) -> list[str]:
    """Return the roles that the tests here have made."""
    rows = await database.fetch_all("SELECT role FROM roles WHERE role LIKE 'new-%' ORDER BY role")
    return [row["role"] for row in rows]


def files(folder: Path) -> dict[str, int]:
    """Return the files in a folder by name, with their permissions."""
    return {file.name: file.stat().st_mode & 0o777 for file in folder.iterdir()}


@contextmanager
def locked_by_another_process(path: Path) -> Iterator[None]:
    """Hold the write lock of a database in a process of its own."""
    with subprocess.Popen(
        [sys.executable, "-c", LOCK, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"locked\n"
        yield
        process.communicate()


async def test_rows_are_plain_dicts(database: Database) -> None:
    rows = await database.fetch_all("SELECT id, username FROM users ORDER BY id LIMIT 2")
    assert rows == [{"id": 1, "username": "admin"}, {"id": 2, "username": "contributor"}]
    assert {type(row) for row in rows} == {dict}


async def test_one_row_is_the_first_and_nothing_is_none(database: Database) -> None:
    sql = "SELECT username FROM users WHERE username LIKE ? ORDER BY id"
    assert await database.fetch_one(sql, ("%",)) == {"username": "admin"}
    assert await database.fetch_one(sql, ("nobody",)) is None
    async with database.transaction() as tx:
        assert await tx.fetch_one(sql, ("%",)) == {"username": "admin"}
        assert await tx.fetch_one(sql, ("nobody",)) is None


async def test_a_statement_tells_how_many_rows_it_changed(database: Database) -> None:
    async with database.transaction() as tx:
        assert await tx.execute("UPDATE users SET disabled = 1") == 4
        assert await tx.execute("UPDATE users SET disabled = 1 WHERE username = 'nobody'") == 0


async def test_nothing_can_be_written_outside_a_transaction(database: Database) -> None:
    with pytest.raises(DatabaseUnavailable) as refusal:
        await database.fetch_all("INSERT INTO roles (role) VALUES ('new-role')")
    assert re.search("read-?only", str(refusal.value.__cause__))
    assert await written(database) == []


async def test_what_a_transaction_writes_is_seen_when_it_is_over(database: Database) -> None:
    async with database.transaction() as tx:
        await tx.execute("INSERT INTO roles (role) VALUES ('new-role')")
        assert await tx.fetch_one("SELECT role FROM roles WHERE role = 'new-role'") is not None
        assert await written(database) == []
    assert await written(database) == ["new-role"]


async def test_an_error_inside_a_transaction_undoes_all_of_it(database: Database) -> None:
    async def fail() -> None:
        async with database.transaction() as tx:
            await tx.execute("INSERT INTO roles (role) VALUES ('new-role')")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await written(database) == []


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO roles (role) VALUES ('manage_users')",
        "INSERT INTO roles (role) VALUES ('')",
        "INSERT INTO roles (role) VALUES (NULL)",
        "INSERT INTO user_roles (user_id, role_id) VALUES (1, 4711)",
    ],
    ids=["taken", "check", "null", "foreign key"],
)
async def test_what_a_constraint_forbids_is_a_conflict_and_undoes_all_of_it(
    database: Database, sql: str
) -> None:
    with pytest.raises(ConstraintError):
        await write(database, "new-role", then=sql)
    assert await written(database) == []


async def test_transactions_wait_for_each_other(database: Database) -> None:
    async def count_up() -> None:
        async with database.transaction() as tx:
            row = await tx.fetch_one("SELECT version FROM users WHERE id = 1")
            assert row is not None
            version = row["version"] + 1
            await tx.execute("UPDATE users SET version = ? WHERE id = 1", (version,))

    await asyncio.gather(*(count_up() for _ in range(20)))
    assert await database.fetch_one("SELECT version FROM users WHERE id = 1") == {"version": 21}


@ON_SQLITE
@pytest.mark.parametrize("call", range(1, 9))
async def test_a_transaction_cancelled_at_any_call_of_the_driver_is_whole_or_nothing(
    database: Database, monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    assert isinstance(database, sqlite.Database)
    execute: Callable[..., Awaitable[Any]] = database._writer._execute
    calls = itertools.count(1)

    async def execute_and_cancel(*arguments: Any, **named: Any) -> Any:
        if next(calls) >= call:  # and again, while it rolls back
            task.cancel()
        return await execute(*arguments, **named)

    monkeypatch.setattr(database._writer, "_execute", execute_and_cancel)
    task = asyncio.create_task(write(database, "new-a", "new-b"))
    with pytest.raises(asyncio.CancelledError):
        await task
    await write(database, "new-c")
    committed = ["new-a", "new-b"] if call == 8 else []
    assert await written(database) == [*committed, "new-c"]


async def test_a_transaction_cancelled_while_it_waits_for_something_else_leaves_nothing(
    database: Database,
) -> None:
    inside, never = asyncio.Event(), asyncio.Event()

    async def wait_inside() -> None:
        async with database.transaction() as tx:
            await tx.execute("INSERT INTO roles (role) VALUES ('new-a')")
            inside.set()
            await never.wait()

    first = asyncio.create_task(wait_inside())
    await inside.wait()
    second = asyncio.create_task(write(database, "new-b"))
    for task in (second, first):
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await write(database, "new-c")
    assert await written(database) == ["new-c"]


@ON_SQLITE
async def test_another_process_that_holds_the_lock_makes_writing_unavailable_for_now(
    tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "_BUSY_TIMEOUT_SECONDS", 0.01)
    path = tmp_path / "data" / "latchkey.db"
    async with sqlite.connect(path) as impatient:
        with locked_by_another_process(path):
            with pytest.raises(DatabaseUnavailable):
                await write(impatient, "new-a")
            assert await written(impatient) == []
        await write(impatient, "new-b")
    assert await written(database) == ["new-b"]


async def test_a_table_that_is_gone_makes_reading_and_writing_unavailable(
    database: Database,
) -> None:
    await write(database, then="DROP TABLE user_roles")
    with pytest.raises(DatabaseUnavailable):
        await database.fetch_all("SELECT * FROM user_roles")
    with pytest.raises(DatabaseUnavailable):
        await write(database, then="DELETE FROM user_roles")


@ON_SQLITE
async def test_what_was_acknowledged_survives_a_power_cut(database: Database) -> None:
    async with database.transaction() as tx:
        assert await tx.fetch_one("PRAGMA synchronous") == {"synchronous": 2}
        assert await tx.fetch_one("PRAGMA journal_mode") == {"journal_mode": "wal"}


@ON_SQLITE
async def test_every_file_of_the_database_is_its_owners_alone(
    tmp_path: Path, database: Database
) -> None:
    await write(database, "new-role")
    assert files(tmp_path / "data") == dict.fromkeys(
        ("latchkey.db", "latchkey.db-wal", "latchkey.db-shm"), 0o600
    )


async def test_a_missing_file_is_a_fault_and_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(Fault, match=r"no\.db cannot be opened: unable to open database file\.$"):
        async with sqlite.connect(tmp_path / "no.db"):
            pass
    with pytest.raises(Fault, match=r"no\.db cannot be opened: unable to open database file\.$"):
        sync.connect(tmp_path / "no.db")
    assert sync.read(tmp_path / "no.db", "SELECT 1", needs="users") == []
    assert files(tmp_path) == {}


async def test_a_database_that_cannot_be_opened_leaves_no_thread_of_the_driver_behind(
    tmp_path: Path,
) -> None:
    for _ in range(10):
        with pytest.raises(Fault):
            async with sqlite.connect(tmp_path / "no.db"):
                pass
        threads = [thread.name for thread in threading.enumerate()]
        assert not [name for name in threads if "_connection_worker_thread" in name]


@pytest.mark.usefixtures("database")
@ON_SQLITE
@pytest.mark.parametrize("statement", range(1, 10))
async def test_opening_that_is_cancelled_leaves_no_thread_of_the_driver_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, statement: int
) -> None:
    execute, counted = aiosqlite.Connection.execute_fetchall, itertools.count(1)
    before = threading.enumerate()

    def interrupted(connection: aiosqlite.Connection, *words: Any) -> Any:
        if next(counted) == statement:
            current = asyncio.current_task()
            assert current is not None
            current.cancel()
        return execute(connection, *words)

    monkeypatch.setattr(aiosqlite.Connection, "execute_fetchall", interrupted)
    with pytest.raises(asyncio.CancelledError):
        async with sqlite.connect(tmp_path / "data" / "latchkey.db"):
            pass
    drivers = [thread for thread in threading.enumerate() if "connection_worker" in thread.name]
    for driver in set(drivers) - set(before):
        driver.join(10)
        assert not driver.is_alive()


async def test_a_file_that_is_no_database_is_a_fault_and_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "letter.txt"
    path.write_text("Dear Sir or Madam, " * 100)
    with pytest.raises(Fault, match=r"letter\.txt cannot be opened: file is not a database\.$"):
        async with sqlite.connect(path):
            pass
    with pytest.raises(Fault, match=r"letter\.txt cannot be opened: file is not a database\.$"):
        sync.connect(path)
    with pytest.raises(Fault, match=r"letter\.txt cannot be read: file is not a database\.$"):
        sync.read(path, "SELECT 1", needs="users")
    assert path.read_text().startswith("Dear Sir")
    assert files(tmp_path).keys() == {path.name}


async def test_a_path_may_hold_what_means_something_in_an_address(tmp_path: Path) -> None:
    path = tmp_path / "100% #1 ?mode=memory.db"
    sync.create_file(path)
    async with sqlite.connect(path) as database:
        assert await database.fetch_one("PRAGMA database_list") is not None
    assert files(tmp_path) == {path.name: 0o600}


@ON_SQLITE
async def test_nothing_is_written_to_a_file_that_was_replaced(
    tmp_path: Path, database: Database
) -> None:
    path = tmp_path / "data" / "latchkey.db"
    path.rename(tmp_path / "old.db")
    path.touch()
    with pytest.raises(DatabaseUnavailable):
        async with database.transaction():
            pass
