"""An import of users that is interrupted by a lock, a full disk or a signal leaves nothing."""

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import aiosqlite
import pytest

from service import db
from service.config import DatabaseUrl
from service.db.postgresql import connect
from service.db.sqlite import database as sqlite
from tests.cli.test_import_users import CREATE, counted, people, started
from tests.support.commands import Run, done, message
from tests.support.environment import clean_environ
from tests.support.stores import ON_SQLITE, run_sql, writing


def test_a_database_that_is_locked_is_told(
    run: Run, where: DatabaseUrl, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = counted(where)
    monkeypatch.setattr(sqlite, "_BUSY_TIMEOUT_SECONDS", 0.01)
    monkeypatch.setitem(connect._SETTINGS, "statement_timeout", "50ms")
    why = {
        "sqlite": "The database data/latchkey.db is not responding: database is locked.\n",
        "postgresql": f"The database {where} is not responding: canceling statement due to"
        " statement timeout.\n",
    }
    with writing(where):
        ended = run(*CREATE, "-", "--format", "jsonl", stdin=people(3))
    assert ended == (1, "", why["sqlite" if where.path else "postgresql"])
    assert counted(where) == before


@ON_SQLITE
def test_a_full_disk_changes_nothing(folder: Path, where: DatabaseUrl) -> None:
    before = counted(where)
    (folder / "people.jsonl").write_text(people(5_000))
    words = [sys.executable, "-m", "service", *CREATE, "people.jsonl"]
    ended = subprocess.run(
        ["sh", "-c", 'ulimit -f 1000; exec "$@"', "sh", *words],
        cwd=folder,
        env=clean_environ(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert message(ended).startswith("The database data/latchkey.db is not responding: ")
    assert ended.returncode == 1
    assert counted(where) == before
    assert done(folder, *CREATE, "people.jsonl") == "Created 5000 users.\n"


def is_written_to(where: DatabaseUrl) -> bool:
    """Tell whether somebody is writing."""
    if where.path is None:
        return not run_sql(where, f"SELECT pg_try_advisory_xact_lock({db.WRITERS})")[0][0]
    with closing(sqlite3.connect(where.path, timeout=0, isolation_level=None)) as other:
        try:
            other.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return True
        return False


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("moment", ["while it reads", "while it writes"])
def test_who_is_stopped_in_the_middle_leaves_nothing(
    folder: Path, number: signal.Signals, moment: str, where: DatabaseUrl
) -> None:
    before = counted(where)
    (folder / "people.jsonl").write_text(people(40_000))
    with started(folder, *CREATE, "people.jsonl") as process:
        deadline = time.monotonic() + 120
        if moment == "while it writes":
            while not is_written_to(where):
                assert process.poll() is None, process.communicate()
                assert time.monotonic() < deadline
        else:
            while f"{folder}/people.jsonl" not in opened_by(process.pid):
                assert process.poll() is None, process.communicate()
        process.send_signal(number)
        printed, said = process.communicate(timeout=60)
    assert printed == ""
    assert process.returncode == (1 if number == signal.SIGINT else -number)
    if number == signal.SIGINT:
        assert said.strip() == "Cancelled. Nothing was changed."
    assert counted(where) == before
    assert done(folder, *CREATE, "-", "--format", "jsonl", stdin=people(1)) == "Created 1 user.\n"


def opened_by(pid: int) -> set[str]:
    """Return the files that a process has open."""
    found = set()
    with contextlib.suppress(OSError):
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                found.add(str(descriptor.readlink()))
    return found


def test_ctrl_c_during_the_commit_comes_too_late_and_is_not_said_to_have_stopped_anything(
    run: Run, monkeypatch: pytest.MonkeyPatch, where: DatabaseUrl
) -> None:
    commit, finish = aiosqlite.Connection.commit, connect.finish

    async def interrupted(connection: aiosqlite.Connection) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        await commit(connection)

    async def interrupted_as_well(connection: connect.Connection, query: bytes) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        await finish(connection, query)

    monkeypatch.setattr(aiosqlite.Connection, "commit", interrupted)
    monkeypatch.setattr(connect, "finish", interrupted_as_well)
    before = signal.getsignal(signal.SIGINT)
    done = run(*CREATE, "-", "--format", "jsonl", stdin=people(2))
    assert done == (0, "Created 2 users.\n", "")
    assert signal.getsignal(signal.SIGINT) is before
    assert counted(where)["users"] == 6
