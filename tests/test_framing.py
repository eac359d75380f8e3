"""Where a request ends: no input becomes part of the next visitor's request."""

import contextlib
import itertools
import socket
from collections.abc import Iterator, Sequence
from contextlib import closing

import pytest

from tests.client import sign_in
from tests.conftest import Server
from tests.framing import HIDDEN_MARK, ROWS, Row, answers

STORES = ("sqlite",)  # no store has a part in this

SHORT = [row for row in ROWS if len(row.data) < 5000]


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
