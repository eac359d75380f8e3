"""Where a request ends: no input becomes part of the next visitor's request."""

import asyncio
import contextlib
import itertools
import re
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import closing

import pytest

from service.server import framing
from service.server.run import listening
from service.web import context
from tests.support.client import cookie, sign_in
from tests.support.environment import Settings, free_port
from tests.support.framing import CHUNKED, HIDDEN_MARK, LENGTH, ROWS, Row, answers
from tests.support.proxied import shared as site
from tests.support.proxies import COMMANDS, prepared, running
from tests.support.proxy_site import APP, AUTH, Deployment
from tests.support.servers import Server, Start

__all__ = ["site"]

STORES = ("sqlite",)  # no store has a part in this

SHORT = [row for row in ROWS if len(row.data) < 5000]
REFUSALS = (400, 404, 405, 421)
WHOLE = [row for row in ROWS if row.whole]


def visit(host: str, token: str, headers: str = "") -> bytes:
    """Return the next visitor's request: its answer names the visitor."""
    lines = f"Host: {host}\r\nCookie: jwt={token}\r\n{headers}"
    return f"GET /auth/me HTTP/1.1\r\n{lines}\r\n".encode()


def assert_visitor(got: Sequence[tuple[int, str, bytes]]) -> None:
    """Check that the next visitor's request was answered, once and as what it is."""
    assert [status for status, _, _ in got] == [200]
    assert b'"username":"contributor"' in got[0][2]


@pytest.fixture(scope="module")
def token(server: Server) -> str:
    """Return the next visitor's token."""
    return sign_in(server.port, "contributor")


@contextlib.contextmanager
def connected(server: Server) -> Iterator[socket.socket]:
    """Yield a connection whose bytes are sent as soon as they are written."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=8) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield connection


def assert_visited(server: Server, token: str) -> None:
    """Visit on a connection of its own."""
    with connected(server) as connection:
        connection.sendall(visit("localhost", token))
        connection.shutdown(socket.SHUT_WR)
        assert_visitor(list(answers(connection, ["GET"] * 9)))


def test_the_table_is_long_and_has_no_name_twice() -> None:
    assert len(ROWS) >= 60
    assert len({row.name for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_each_request_has_one_answer(server: Server, token: str, row: Row) -> None:
    with connected(server) as connection, closing(answers(connection, row.methods())) as received:
        connection.sendall(row.bytes("localhost"))
        got = list(itertools.islice(received, len(row.statuses)))
        assert [status for status, _, _ in got] == list(row.statuses)
        assert not any(HIDDEN_MARK in body for _, _, body in got)
        version, head = got[-1][1].split(" ", 1)
        is_kept = "connection: close" not in head and (version, "keep-alive" in head) != (
            "http/1.0",
            False,
        )
        assert row.keeps in {is_kept, None}
        with contextlib.suppress(OSError):  # it may be closed already
            if is_kept:
                connection.sendall(visit("localhost", token))
            connection.shutdown(socket.SHUT_WR)
        rest = list(received)
    if is_kept:
        assert_visitor(rest)
    else:
        assert rest == []
        assert_visited(server, token)


@pytest.mark.parametrize("row", SHORT, ids=lambda row: row.name)
def test_nor_has_it_more_when_it_comes_byte_by_byte(server: Server, token: str, row: Row) -> None:
    with connected(server) as connection:
        with contextlib.suppress(OSError):  # refused before its end
            for byte in row.bytes("localhost"):
                connection.sendall(bytes([byte]))
            connection.shutdown(socket.SHUT_WR)
        got: list[tuple[int, str, bytes]] = []
        with contextlib.suppress(ConnectionResetError):
            got.extend(answers(connection, row.methods()))
    statuses = [status for status, _, _ in got]
    assert statuses == list(row.statuses[: len(statuses)])
    assert not any(HIDDEN_MARK in body for _, _, body in got)
    assert_visited(server, token)


# Wherever the network cuts

CREDENTIAL = "Cookie: jwt={token}\r\n"
STREAM = (
    "POST /nothing HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    f"2\r\n\r\n\r\n0\r\nX: y\r\n{CREDENTIAL}\r\n"
    "GET /auth/me HTTP/1.1\r\nHost: a\r\n\r\n"
    "\r\nPOST /nothing HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n\r\n\r\n"
    "GET /auth/me HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
)


def cuts(data: bytes, window: tuple[int, int]) -> Iterator[tuple[int, ...]]:
    """Yield every place, and each two places of which the first is in the window."""
    yield from ((place,) for place in range(1, len(data)))
    yield from (
        (first, second)
        for first in range(*window)
        for second in range(first + 1, min(first + 9, len(data)))
    )


async def test_a_request_ends_at_the_same_place_wherever_the_network_cuts(
    settings: Settings, where: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    del where
    stream = b""
    places: tuple[int, ...] = ()
    whole = framing.FramedHandler.data_received

    def cut(handler: framing.FramedHandler, data: bytes) -> None:
        ends = (*places, len(data)) if len(data) == len(stream) else (len(data),)
        for start, end in itertools.pairwise((0, *ends)):
            whole(handler, data[start:end])

    async with listening(settings(PORT=str(free_port()))) as app:
        config = app[context.CONFIG]
        token = await asyncio.to_thread(sign_in, config.port, "contributor")
        stream = STREAM.replace("{token}", token).encode()
        monkeypatch.setattr(framing.FramedHandler, "data_received", cut)
        end = stream.index(b"GET /auth/me")
        for places in ((), *cuts(stream, (end - 9, end + 3))):
            reader, writer = await asyncio.open_connection("127.0.0.1", config.port)
            writer.write(stream)
            async with asyncio.timeout(8):
                received = await reader.read()
            writer.close()
            statuses = re.findall(rb"HTTP/1\.1 (\d+) ", received)
            assert statuses == [b"404", b"401", b"404", b"401"], places


# Behind a proxy


def test_a_body_may_come_in_many_small_chunks(server: Server, token: str) -> None:
    with connected(server) as connection:
        connection.sendall(f"POST /auth/logout HTTP/1.1\r\nHost: a\r\n{CHUNKED}\r\n".encode())
        for _ in range(700):
            connection.sendall(b"1\r\nx\r\n")
            time.sleep(0.001)  # so that each is a piece of its own
        connection.sendall(b"0\r\n\r\n" + visit("a", token, "Connection: close\r\n"))
        (status, _, _), *rest = answers(connection, ["POST", "GET"])
    assert status == 302
    assert_visitor(rest)


@pytest.fixture(scope="module")
def passed(site: Deployment) -> str:
    """Return the token of the next visitor through the proxy."""
    return site.sign_in("contributor")


def assert_visited_through(site: Deployment, token: str) -> None:
    """Visit through a proxy, more often than it has connections to Latchkey."""
    request = visit(f"{AUTH}:{site.port}", token, "Connection: close\r\n")
    for _ in range(3):
        with site.connect(AUTH) as connection:
            connection.sendall(request)
            with closing(answers(connection, ["GET"] * 9)) as received:
                assert_visitor(list(received))


@pytest.mark.parametrize("row", WHOLE, ids=lambda row: row.name)
def test_a_proxy_has_no_answer_left_over(site: Deployment, passed: str, row: Row) -> None:
    host = f"{AUTH}:{site.port}"
    with site.connect(AUTH) as connection:
        with contextlib.suppress(OSError):  # refused before its end
            connection.sendall(row.bytes(host))
        with closing(answers(connection, row.methods())) as received:
            got = list(itertools.islice(received, row.count))
            # While the first client is still there: its connection to Latchkey is kept.
            assert_visited_through(site, passed)
            with contextlib.suppress(OSError):
                connection.sendall(visit(host, "x", "Connection: close\r\n"))
            rest = list(received)
    assert 1 <= len(got) <= row.count
    for status, _, _ in got:
        assert status < 500 or status in row.proxies_may_answer
    # What the same client sends next has its own answer, or none if the proxy has closed.
    *hidden, last = [status for status, _, _ in rest] or [401]
    assert last in {401, *REFUSALS}
    assert len(hidden) <= (not row.is_inside)
    assert not row.is_inside or not any(HIDDEN_MARK in body for _, _, body in (*got, *rest))


@pytest.mark.parametrize("method", ["CONNECT", "TRACE", "PROPFIND", "FROB", "get"])
@pytest.mark.parametrize("host", [AUTH, APP])
def test_a_proxy_passes_only_the_methods_it_knows(
    site: Deployment, passed: str, host: str, method: str
) -> None:
    site.application.received.clear()
    for path in ("/", "/public/x", "/auth/me"):
        answer = site.ask(path, method, headers=cookie(passed), host=host, body=b"x")
        assert answer.status in {400, 405}
    assert site.application.received == []
    assert site.ask(headers=cookie(passed)).text == "contributor"


@pytest.fixture(scope="module")
def lenient(tmp_path_factory: pytest.TempPathFactory, start: Start) -> Iterator[Deployment]:
    """Yield Caddy with a file that passes every method on, and Latchkey behind it."""
    with prepared("caddy", tmp_path_factory.mktemp("lenient")) as deployment:
        deployment.server = start(**deployment.settings)
        command = COMMANDS["caddy"](deployment)
        path = deployment.folder / "Caddyfile"
        text = path.read_text()
        assert text.count("\terror @latchkey_method 405\n") == 1
        path.write_text(text.replace("\terror @latchkey_method 405\n", ""))
        with running(deployment, command):
            yield deployment


@pytest.mark.parametrize("headers", [LENGTH, CHUNKED])
@pytest.mark.parametrize("method", ["CONNECT", "TRACE", "PROPFIND", "PUT"])
def test_no_stranger_changes_what_the_next_visitor_asks(
    lenient: Deployment, method: str, headers: str
) -> None:
    token = lenient.sign_in("contributor")
    host = f"{AUTH}:{lenient.port}"
    # The next request on this connection would become the rest of this one, with its cookie.
    start = f"DELETE /api/v1/users/1 HTTP/1.1\r\nHost: {host}\r\nX-Rest: "
    body = f"{len(start):x}\r\n{start}\r\n0\r\n\r\n" if headers == CHUNKED else start
    if headers == LENGTH:
        headers = f"Content-Length: {len(start)}\r\n"
    data = f"{method} /auth/me HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n{body}".encode()
    for _ in range(5):
        with lenient.connect(AUTH) as connection:
            connection.sendall(data)
            with closing(answers(connection, ["GET"])) as received:
                # 502: the answer closed the connection while Caddy was still sending the body.
                assert next(received)[0] in {401, 404, 405, 502}
        assert_visited_through(lenient, token)
