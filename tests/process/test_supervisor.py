"""Several processes on one port: what one dies of, the others do not; figures add up."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from typing import TypeVar

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.client import ask, bearer, sign_in
from tests.support.environment import clean_environ, free_port
from tests.support.servers import Server, Start
from tests.support.stores import ON_SQLITE

DEADLINE = 30
T = TypeVar("T")


def workers(server: Server) -> list[int]:
    """Return the processes that the server has begun."""
    ran = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(server.process.pid)],
        capture_output=True,
        text=True,
        check=False,
    )
    return sorted(int(pid) for pid in ran.stdout.split())


def until(look: Callable[[], T], good: Callable[[T], bool]) -> T:
    """Look again and again until what is seen is good."""
    deadline = time.monotonic() + DEADLINE
    while not good(found := look()):
        assert time.monotonic() < deadline, found
        time.sleep(0.02)
    return found


def begun(start: Start, count: int, **settings: str) -> Server:
    """Start a server, and wait until all its workers answer."""
    server = start(WORKERS=str(count), **settings)
    seen: set[str] = set()
    until(
        lambda: seen.add(ask(server.port, "/healthz")["X-Request-ID"][:8]),
        lambda _: len(seen) == count,
    )
    return server


def figure(server: Server, name: str, **labels: str) -> float:
    """Return one figure, as whichever worker answers has it."""
    for family in text_string_to_metric_families(ask(server.port, "/metrics").text):
        for sample in family.samples:
            if sample.name == name and sample.labels == labels:
                return sample.value
    return 0


def answered_by(server: Server, path: str, token: str) -> str:
    """Ask on a new connection, and return the part of the request's id that names the process."""
    answer = ask(server.port, path, headers=bearer(token))
    assert answer.status == 200, answer.text
    return answer["X-Request-ID"][:8]


def all_answer(server: Server, token: str, count: int) -> set[str]:
    """Ask until as many processes have answered."""
    seen: set[str] = set()
    until(lambda: seen.add(answered_by(server, "/auth/me", token)), lambda _: len(seen) >= count)
    return seen


def test_each_answers_for_all_and_the_figures_add_up(start: Start) -> None:
    server = begun(start, 3)
    token = sign_in(server.port)
    asked = 60
    seen = {answered_by(server, "/auth/me", token) for _ in range(asked)}
    assert len(seen) == 3
    wanted = {"method": "GET", "route": "/auth/me", "status": "200"}
    for _ in range(9):  # whoever is asked
        until(lambda: figure(server, "latchkey_requests_total", **wanted), lambda n: n == asked)
    assert figure(server, "latchkey_sign_ins_total", method="bypass") == 1
    assert figure(server, "latchkey_request_seconds_count", route="/auth/me") == asked
    assert server.log().count(" listening ") == 1


def test_who_signs_out_at_one_is_refused_by_all(start: Start) -> None:
    server = begun(start, 3)
    token = sign_in(server.port)
    all_answer(server, token, 3)
    assert ask(server.port, "/auth/logout", "POST", headers=bearer(token)).status == 302
    for _ in range(30):
        answer = until(
            lambda: ask(server.port, "/auth/me", headers=bearer(token)), lambda a: a.status == 401
        )
        assert answer.code == "token_revoked"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_one_that_dies_is_replaced_and_the_figures_do_not_fall(
    start: Start, number: signal.Signals
) -> None:
    server = begun(start, 2)
    token = sign_in(server.port)
    all_answer(server, token, 2)
    until(lambda: figure(server, "latchkey_sign_ins_total", method="bypass"), lambda n: n == 1)
    before = workers(server)
    time.sleep(1.1)  # figures are shared once a second
    for pid in before:
        os.kill(pid, number)
        now = until(
            lambda: workers(server),
            lambda found, pid=pid: len(found) == 2 and pid not in found,  # type: ignore[misc]
        )
        all_answer(server, token, 2)
    assert not set(now) & set(before)
    until(lambda: figure(server, "latchkey_worker_restarts_total"), lambda n: n == 2)
    assert figure(server, "latchkey_sign_ins_total", method="bypass") == 1
    assert server.log().count(" worker_lost ") == 2
    server.process.terminate()
    assert server.process.wait(20) == 0
    assert "Traceback" not in server.log()


@ON_SQLITE
def test_one_that_can_not_begin_is_tried_again_more_and_more_rarely(start: Start) -> None:
    server = begun(start, 2)
    database = server.folder / "data" / "latchkey.db"
    database.rename(database.with_suffix(".away"))
    for pid in workers(server):
        os.kill(pid, signal.SIGKILL)
    until(lambda: server.log().count("next_in=2.0"), lambda n: n >= 2)
    assert "migrate up" in server.log()
    database.with_suffix(".away").rename(database)
    until(lambda: is_open(server), lambda opened: opened)
    all_answer(server, sign_in(server.port), 2)
    assert "Traceback" not in server.log()


def test_they_end_with_the_process_that_began_them(start: Start) -> None:
    server = begun(start, 2)
    pids = workers(server)
    assert len(pids) == 2
    server.process.kill()
    server.process.wait(20)
    until(lambda: [pid for pid in pids if is_alive(pid)], lambda left: not left)


def is_alive(pid: int) -> bool:
    """Tell whether a process, which is no child of ours, is there."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def is_open(server: Server) -> bool:
    """Tell whether somebody listens."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", server.port)) == 0


def serve(server: Server, **changes: str) -> subprocess.CompletedProcess[str]:
    """Serve beside another, which is not to go well."""
    return subprocess.run(
        [sys.executable, "-m", "service", "serve"],
        cwd=server.folder,
        env=clean_environ(**{**server.environ, **changes}),
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


@pytest.mark.parametrize(("first", "second"), [("1", "2"), ("2", "1"), ("2", "2")])
def test_a_port_that_is_taken_is_one_clear_sentence(start: Start, first: str, second: str) -> None:
    server = start(WORKERS=first)
    ended = serve(server, WORKERS=second)
    assert ended.returncode == 1
    assert f"Port {server.port} is in use by another program" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_what_keeps_one_from_beginning_is_said_once(server: Server) -> None:
    ended = serve(
        server, WORKERS="4", PORT=str(free_port()), DATABASE_URL="sqlite:///missing/latchkey.db"
    )
    assert ended.returncode == 1
    assert ended.stderr.count("migrate up") == 1
    assert "Traceback" not in ended.stderr


def test_sighup_reaches_every_worker(
    start: Start, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.mktemp("keys") / "keys.json"
    keys = {"JWT_ALGORITHM": "EdDSA", "JWT_KEYS_FILE": str(file)}
    made = subprocess.run(
        [sys.executable, "-m", "service", "key", "generate"],
        env=clean_environ(**keys),
        cwd=file.parent,
        capture_output=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    server = begun(start, 2, **keys)
    file.write_text("{}")
    server.process.send_signal(signal.SIGHUP)
    until(lambda: server.log().count(" keys_file_bad "), lambda n: n == 2)


def test_a_client_gets_the_connection_of_one_worker_and_keeps_it(start: Start) -> None:
    server = begun(start, 2)
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        seen = set()
        for _ in range(5):
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            head = connection.recv(65536).decode()
            seen.add(head.partition("X-Request-ID: ")[2][:8])
        assert len(seen) == 1
