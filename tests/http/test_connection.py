"""What every answer carries, aiohttp's own refusals included, and what no answer repeats."""

import asyncio
import contextlib
import re
import socket
import subprocess
import sys
import time
from typing import Any, NoReturn

import aiohttp
import pytest
from aiohttp import http_parser, http_writer, web
from yarl import URL

from service.db import Database
from service.server.run import listening
from tests.support.client import BROWSER, Answer, ask, cookie, send, sign_in
from tests.support.environment import Settings, clean_environ, free_port
from tests.support.servers import Server, Start
from tests.support.stores import ON_SQLITE, unreachable

MARK = "jwt=eyJleakmarkleakmark"
CODES = {
    400: "request_invalid",
    414: "uri_too_long",
    417: "expectation_failed",
    431: "headers_too_large",
}


def assert_safe(answer: Answer) -> None:
    """Assert the headers of every answer (contract, section 2)."""
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Referrer-Policy"] == "no-referrer"
    assert re.fullmatch(r"[0-9a-f]{16}", answer["X-Request-ID"])
    assert answer["Server"] == "latchkey"
    policy = answer["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in policy


def parse(raw: bytes) -> Answer:
    """Read a raw answer."""
    head, _, body = raw.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = [(line.partition(": ")[0], line.partition(": ")[2]) for line in lines]
    return Answer(int(status.split()[1]), headers, body)


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("/", "GET", 200),
        ("/", "HEAD", 200),
        ("/auth/login", "GET", 200),
        ("/auth/bypass?token=admin", "GET", 302),
        ("/auth/bypass", "GET", 400),
        ("/auth/me", "GET", 401),
        ("/auth/token", "GET", 401),
        ("/auth/logout", "GET", 302),
        ("/healthz", "GET", 200),
        ("/ping", "GET", 200),
        ("/readyz", "GET", 200),
        ("/ready", "GET", 200),
        ("/metrics", "GET", 200),
        ("/no/such/path", "GET", 404),
        ("/%00/%ff/..%2f", "GET", 404),
        ("/static/nothing.css", "GET", 404),
        ("/static/..%2fviews.py", "GET", 404),
        ("/auth/me", "POST", 405),
        ("/auth/me", "BREW", 400),
    ],
)
def test_every_answer_carries_the_same_headers(
    server: Server, path: str, method: str, status: int
) -> None:
    for headers in ({}, BROWSER):
        answer = ask(server.port, path, method, headers=headers)
        assert answer.status == status
        assert_safe(answer)
        assert answer["Cache-Control"] == "no-store"
        if status >= 401 and headers:
            assert answer["Content-Type"] == "text/html; charset=utf-8"


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (f"GET / HTTP/1.1\r\nHost: x\r\nBad Header: {MARK}\r\n\r\n", 400),
        (f"GET / HTTP/1.1\r\nHost: x\r\nCookie: {MARK}\r\n{MARK}\r\n\r\n", 400),
        (f"{MARK}\r\n\r\n", 400),
        (f"GET /{MARK} HTTP/9.9\r\n\r\n", 400),
        (f"GET /{'a' * 33_000}{MARK} HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        (f"GET / HTTP/1.1\r\nHost: x\r\nX: {'a' * 33_000}{MARK}\r\n\r\n", 431),
        (f"GET / HTTP/1.1\r\nHost: x\r\n{f'X: {MARK}' + chr(13) + chr(10)}" * 200 + "\r\n", 400),
        (f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {MARK}\r\n\r\n", 400),
        (
            "POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
        ),
        (f"GET / HTTP/1.1\r\nHost: x\r\nCookie: a\0{MARK}\r\n\r\n", 400),
        (f"GET /{MARK} HTTP/1.1\r\nHost: x\r\nExpect: {MARK}\r\nConnection: close\r\n\r\n", 417),
        (f"GET /auth/me HTTP/1.1\r\nHost: x\r\nExpect: {MARK}\r\nConnection: close\r\n\r\n", 417),
    ],
    ids=range(12),
)
def test_what_the_parser_refuses_is_a_problem_that_repeats_nothing(
    server: Server, request_bytes: str, status: int
) -> None:
    answer = parse(send(server.port, request_bytes.encode("latin-1")))
    assert answer.status == status
    assert answer.code == CODES[status]
    assert_safe(answer)
    assert b"leakmark" not in answer.body
    assert "leakmark" not in str(answer.headers)
    log = server.log(until=answer["X-Request-ID"])
    assert "leakmark" not in log
    assert "Traceback" not in log


async def test_a_connection_whose_handler_fails_is_closed(
    settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    del database

    def fail(*_: object) -> NoReturn:
        raise RuntimeError

    config = settings(PORT=str(free_port()))
    monkeypatch.setattr("service.server.connection._request", fail)
    async with listening(config):
        reader, writer = await asyncio.open_connection("127.0.0.1", config.port)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        with contextlib.suppress(ConnectionResetError):
            assert await asyncio.wait_for(reader.read(), 10) == b""
        writer.close()


async def test_an_unknown_path_is_answered_though_its_page_fails(
    settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    del database

    def fail(*_: object, **__: object) -> NoReturn:
        raise RuntimeError

    config = settings(PORT=str(free_port()))
    monkeypatch.setattr("service.web.templates.Templates.render", fail)
    async with listening(config), aiohttp.ClientSession() as client:
        url = f"http://127.0.0.1:{config.port}/no/such/path"
        async with client.get(url, headers=BROWSER) as answer:
            assert (answer.status, (await answer.json())["code"]) == (500, "internal_error")


@pytest.mark.parametrize("path", ["/" * 8100, "/a" * 4000, "/auth/me" + "/" * 31, "/a" * 33])
async def test_a_path_of_many_segments_is_refused_without_looking_for_a_route(
    settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """The library's router takes time that grows with the square of the segments."""
    del database
    config = settings(PORT=str(free_port()))
    async with listening(config) as app, aiohttp.ClientSession() as client:
        resolved = []
        resolve = app.router.resolve

        async def counted(request: web.Request) -> Any:
            resolved.append(request.path)
            return await resolve(request)

        monkeypatch.setattr(app.router, "resolve", counted)
        base = f"http://127.0.0.1:{config.port}"
        for query in ("", f"?next={'/a' * 100}"):
            async with client.get(URL(base + path + query[:60], encoded=True)) as answer:
                assert (answer.status, (await answer.json())["code"]) == (404, "not_found")
        assert resolved == []
        async with client.get(
            URL(base + "/a" * 32 + f"?next={'/a' * 100}", encoded=True)
        ) as answer:
            assert answer.status == 404
        assert len(resolved) == 1


@pytest.mark.parametrize(
    ("headers", "body", "status", "code"),
    [
        ({"Content-Length": "70000"}, b"a" * 70000, 413, "body_too_large"),
        ({"Content-Encoding": "gzip"}, b"a", 415, "encoding_unsupported"),
    ],
    ids=["large", "compressed"],
)
def test_a_body_out_of_bounds_is_refused(
    server: Server, headers: dict[str, str], body: bytes, status: int, code: str
) -> None:
    answer = ask(server.port, "/auth/logout", "POST", headers=headers, body=body)
    assert (answer.status, answer.code) == (status, code)
    assert_safe(answer)


def test_a_chunked_body_is_bounded_and_a_broken_one_refused(server: Server) -> None:
    head = b"POST /auth/logout HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
    chunk = b"8000\r\n" + b"a" * 0x8000 + b"\r\n"
    for chunks, code in (
        (chunk * 3 + b"0\r\n\r\n", "body_too_large"),
        (b"zz\r\n", "request_invalid"),
    ):
        answer = parse(send(server.port, head + b"Connection: close\r\n\r\n" + chunks))
        assert answer.code == code
        assert_safe(answer)


def test_a_slow_body_is_cut_off(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(b"POST /auth/logout HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\na")
        raw = b"".join(iter(lambda: connection.recv(65536), b""))
    assert parse(raw).code == "body_timeout"


def test_a_body_for_a_closed_route_is_not_read(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        connection.sendall(b"GET /auth/me HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\na")
        assert parse(connection.recv(65536)).status == 401


def test_no_log_line_holds_a_token_a_secret_or_a_forged_line(server: Server) -> None:
    token = sign_in(server.port)
    ask(server.port, "/auth/me", headers=cookie(token))
    ask(server.port, f"/auth/me?token={token}")
    ask(server.port, f"/{token}")
    ask(server.port, f"/auth/bypass?token={token}")
    ask(server.port, "/x%0A2026-01-01T00:00:00.000Z%20info%20sign_in%20user=forged%1B%5B31m")
    log = server.log(until="forged")
    header, claims, signature = token.split(".")
    assert not any(part in log for part in (header, claims, signature))
    assert "signs-nothing" not in log
    assert "user=forged" not in [line.partition(" sign_in ")[2] for line in log.splitlines()]
    assert "\x1b" not in log
    assert "/[token]" in log


def test_every_request_leaves_one_line_with_its_id(server: Server) -> None:
    answer = ask(server.port, "/auth/me?secret=in-the-query")
    mine = f"id={answer['X-Request-ID']}"
    log = server.log(until=mine)
    lines = [line for line in log.splitlines() if mine in line]
    assert [line.split()[2] for line in lines] == ["refused", "request"]
    assert "code=credentials_missing" in lines[0]
    assert "method=GET path=/auth/me status=401 " in lines[1]
    assert "in-the-query" not in log


def test_logs_are_json_for_machines(production: Server) -> None:
    answer = ask(production.port, "/auth/me")
    log = production.log(until=answer["X-Request-ID"])
    lines = [line for line in log.splitlines() if answer["X-Request-ID"] in line]
    assert all(line.startswith('{"time": "') for line in lines)
    assert len(lines) == 2


def test_sigterm_finishes_and_leaves_with_0(start_process: Start) -> None:
    server = start_process(LOG_LEVEL="debug")
    with socket.create_connection(("127.0.0.1", server.port), timeout=10):
        server.process.terminate()
        assert server.process.wait(20) == 0
    assert " stopping" in server.log()
    assert "Traceback" not in server.log()


def test_a_taken_port_is_one_clear_sentence(server: Server) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "service", "serve"],
        cwd=server.folder,
        env=clean_environ(**server.environ),
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 1
    assert f"Port {server.port} is in use by another program" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_database_may_go_and_come_back(start: Start) -> None:
    server = start()
    token = sign_in(server.port)
    with unreachable(server.database):
        down = ask(server.port, "/auth/bypass?token=admin")
        assert (down.status, down.code) == (503, "database_unavailable")
        assert int(down["Retry-After"]) > 0
        ready = ask(server.port, "/readyz")
        assert (ready.status, ready.json["status"]) == (503, "degraded")
        assert ask(server.port, "/healthz").status == 200
        assert ask(server.port, "/auth/me", headers=cookie(token)).status == 200
        assert ask(server.port, "/auth/logout", headers=cookie(token)).status == 503
    deadline = time.monotonic() + 20
    while ask(server.port, "/auth/bypass?token=admin").status != 302:
        assert time.monotonic() < deadline
    assert ask(server.port, "/auth/me", headers=cookie(token)).status == 200
    assert "Traceback" not in server.log()


@ON_SQLITE
def test_a_database_that_was_replaced_is_not_the_database_any_more(start: Start) -> None:
    server = start(REVOCATION_MAX_STALENESS="1s")
    token = sign_in(server.port)
    path = server.folder / "data" / "latchkey.db"
    for file in (path, *path.parent.glob("latchkey.db-*")):
        file.rename(file.with_name(f"old-{file.name}"))
    assert server.cli("migrate", "up").returncode == 0
    time.sleep(1)  # the file is looked at five times a second
    assert ask(server.port, "/auth/bypass?token=admin").code == "database_unavailable"
    assert ask(server.port, "/readyz").status == 503
    assert "was replaced" in server.log(until="was replaced")
    deadline = time.monotonic() + 10
    while ask(server.port, "/auth/me", headers=cookie(token)).status != 503:
        assert time.monotonic() < deadline


def test_a_client_that_hangs_up_is_no_fault_of_ours(server: Server) -> None:
    before = server.log().count("status=500")
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.sendall(
                b"POST /auth/logout HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\na"
            )
    assert ask(server.port, "/healthz").status == 200
    log = server.log()
    assert log.count("status=500") == before
    assert "Traceback" not in log


def test_an_upgrade_is_not_taken_up_and_leaves_no_deaf_connection(server: Server) -> None:
    upgrade = b"Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 3\r\n\r\nabc"
    answers = send(server.port, b"POST /nope HTTP/1.1\r\nHost: a\r\n" + upgrade)
    assert answers.startswith(b"HTTP/1.1 404 ")
    assert b"\r\nConnection: close\r\n" in answers


def test_aiohttp_has_its_c_parts() -> None:
    assert http_parser.HttpRequestParser is not http_parser.HttpRequestParserPy
    assert "cyfunction" in repr(http_writer._serialize_headers)


@pytest.mark.parametrize("body", [b"", b"{}"], ids=["bare", "body"])
@pytest.mark.parametrize("parameter", ["; ", ";a=b", ';a="', ";a*0=b"])
def test_a_content_type_has_a_length(server: Server, body: bytes, parameter: str) -> None:
    headers = {"Content-Type": "application/json" + parameter * (8000 // len(parameter))}
    answer = ask(server.port, "/auth/logout", "POST", headers=headers, body=body)
    assert (answer.status, answer.code) == (415, "content_type_unsupported")
