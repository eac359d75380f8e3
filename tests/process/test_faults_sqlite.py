"""SQLite fails in every way that it has; tokens are verified on, and all comes back.

LATCHKEY_LOCK_SECONDS says for how long another process keeps the lock, 7 by default: a writer waits
for 5.
"""

import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.client import ask, bearer, cookie, sign_in
from tests.support.environment import ROOT, clean_environ, free_port
from tests.support.faults import (
    assert_calm,
    assert_unavailable,
    refused_by_all,
    session_of,
    sign_in_again,
    sign_out,
    status,
    told,
    until,
)
from tests.support.rights import without_rights
from tests.support.servers import Server, Start
from tests.support.stores import run_sql, writing

STORES = ("sqlite",)
LOCKED_SECONDS = float(os.environ.get("LATCHKEY_LOCK_SECONDS", "7"))


@pytest.fixture
def server(start: Start) -> Iterator[Server]:
    """Yield a server of the test's own."""
    made = start()
    yield made
    assert_calm([made])


def file_of(server: Server) -> Path:
    """Return the file of a server's database."""
    assert server.database.path is not None
    return server.database.path


def test_while_another_process_keeps_the_lock_all_is_read_and_writers_are_told_to_come_again(
    server: Server,
) -> None:
    token, waits, reads = sign_in(server.port), [], []
    over = threading.Event()

    def write() -> None:
        while not over.is_set():
            began = time.perf_counter()
            answer = ask(server.port, "/auth/logout", "POST", headers=cookie(token))
            waits.append(time.perf_counter() - began)
            assert_unavailable(answer)

    with writing(server.database) as let_go:
        writers = [threading.Thread(target=write) for _ in range(3)]
        for writer in writers:
            writer.start()
        end = time.monotonic() + LOCKED_SECONDS
        while time.monotonic() < end:
            began = time.perf_counter()
            assert status(server, token) == 200
            sign_in(server.port)
            assert ask(server.port, "/readyz").status == 200
            reads.append(time.perf_counter() - began)
        over.set()
        for writer in writers:
            writer.join(30)
        assert waits
        let_go()
    told("a writer is told after", waits)
    told("a check, a sign-in and /readyz meanwhile", reads)
    sign_out(server, token)
    assert status(server, token) == 401


@contextmanager
def disk_full(server: Server) -> Iterator[None]:
    """Let no file of a process grow any more, while it runs."""
    path = file_of(server)
    size = max(file.stat().st_size for file in path.parent.iterdir())
    before = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, before)


def test_a_full_disk_costs_the_writes_and_nothing_that_was_acknowledged(server: Server) -> None:
    out = []
    with disk_full(server):
        while True:  # as long as there is room
            token = sign_in(server.port)
            answer = ask(server.port, "/auth/logout", "POST", headers=cookie(token))
            if answer.status != 302:
                break
            out.append(token)
        assert_unavailable(answer)
        assert status(server, token) == 200
        assert {status(server, each) for each in out} <= {401}
        assert_unavailable(ask(server.port, "/auth/logout", "POST", headers=cookie(token)))
        sign_in(server.port)
    sign_out(server, token)
    assert status(server, token) == 401
    kept = {sid for (sid,) in run_sql(server.database, "SELECT sid FROM changes")}
    assert {session_of(each) for each in [*out, token]} <= kept
    assert run_sql(server.database, "PRAGMA integrity_check") == [("ok",)]


def test_a_file_that_is_moved_away_is_missed_and_found_again(server: Server) -> None:
    token, out = sign_in(server.port), sign_in(server.port)
    sign_out(server, out)
    folder = file_of(server).parent
    away = folder.rename(folder.with_name("away"))
    until(lambda: ask(server.port, "/readyz").status == 503)
    assert_unavailable(ask(server.port, "/auth/bypass?token=admin"))
    assert_unavailable(ask(server.port, "/auth/logout", "POST", headers=cookie(token)))
    assert (status(server, token), status(server, out)) == (200, 401)
    away.rename(folder)
    _, seconds = sign_in_again(server)
    print(f"\nsigned in {seconds * 1000:.0f} ms after its return")  # noqa: T201  # the figure
    sign_out(server, token)
    assert status(server, token) == 401


def test_a_file_that_is_deleted_is_not_written_to_any_more(server: Server) -> None:
    token = sign_in(server.port)
    for file in file_of(server).parent.iterdir():
        file.unlink()
    assert_unavailable(ask(server.port, "/auth/logout", "POST", headers=cookie(token)))
    until(lambda: ask(server.port, "/readyz").status == 503)
    assert_unavailable(ask(server.port, "/auth/bypass?token=admin"))
    assert status(server, token) == 200
    assert "was replaced" in server.log(until="feed_lost")


def test_a_folder_that_cannot_be_written_to_is_named_before_the_port_is_opened(
    server: Server, tmp_path: Path
) -> None:
    database = Path(server.folder / "data")
    (tmp_path / ".env").write_text((ROOT / ".env.test").read_text())
    run_sql(server.database, "PRAGMA wal_checkpoint(TRUNCATE)")
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "latchkey.db").write_bytes((database / "latchkey.db").read_bytes())
    folder.chmod(0o500)
    try:
        ended = subprocess.run(
            [*without_rights(), sys.executable, "-m", "service", "serve"],
            cwd=tmp_path,
            env=clean_environ(PORT=str(free_port())),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        folder.chmod(0o700)
    assert ended.returncode == 1
    assert ended.stderr == (
        "The database data/latchkey.db cannot be read: its folder cannot be written to.\n"
    )


def test_two_servers_on_one_file_write_by_turns_and_know_of_each_other(
    start: Start, server: Server
) -> None:
    other = start(beside=server)
    servers, token = [server, other], sign_in(server.port)
    made: list[str] = []

    def create(here: Server, name: str) -> None:
        headers = {**bearer(token), "Content-Type": "application/json"}
        for number in range(20):
            body = f'{{"username": "{name}-{number}"}}'.encode()
            answer = ask(here.port, "/api/v1/users", "POST", headers=headers, body=body)
            assert answer.status == 201, answer.text
            made.append(answer.json["username"])

    threads = [
        threading.Thread(target=create, args=(here, f"{name}-{number}"))
        for here, name in zip(servers, ("one", "other"), strict=True)
        for number in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(made) == 80
    times = []
    for number in range(10):
        here, there = servers[number % 2], servers[1 - number % 2]
        mine = sign_in(here.port)
        sign_out(here, mine)
        times.append(refused_by_all([there], mine))
    told("sign-out on one file, until the other server refuses", times)
    kept = {name for (name,) in run_sql(server.database, "SELECT username FROM users")}
    assert set(made) <= kept
    assert_calm([other])
