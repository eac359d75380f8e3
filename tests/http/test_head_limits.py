"""Long request heads: accepted up to the limits, and refused with a code or a page above them."""

import socket
import time

import pytest

from service.limits.client_limits import HEAD_BYTES, HEAD_LINES, LINE_BYTES
from tests.support.client import BROWSER, Answer, ask, cookie, send, sign_in
from tests.support.servers import Server

STORES = ("sqlite",)  # no store has a part in this

HTML = "text/html,*/*;q=0.8"


def answer_of(data: bytes) -> Answer:
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = [(name, value) for name, _, value in (line.partition(": ") for line in lines)]
    return Answer(int(first.split()[1]), headers, body)


def head(*lines: str, target: str = "/auth/login") -> bytes:
    return "\r\n".join([f"GET {target} HTTP/1.1", "Host: localhost", *lines, "", ""]).encode()


@pytest.mark.parametrize(
    "name", ["Cookie", "X-Other", "Referer", "Accept-Language", "X-" + "a" * 99]
)
def test_a_header_of_32_kib_is_accepted(server: Server, name: str) -> None:
    token = sign_in(server.port, "user")
    value = f"jwt={token}; a=".ljust(LINE_BYTES, "x") if name == "Cookie" else "x" * LINE_BYTES
    headers = {name: value} if name == "Cookie" else {**cookie(token), name: value}
    assert ask(server.port, "/auth/me", headers=headers).json["username"] == "user"


def test_cookies_of_many_applications_are_accepted(server: Server) -> None:
    token = sign_in(server.port, "user")
    others = [f"Cookie: app{number}={'x' * 4000}" for number in range(7)]
    answer = answer_of(
        send(
            server.port,
            head(*others, f"Cookie: jwt={token}", "Connection: close", target="/auth/me"),
        )
    )
    assert answer.status == 200


def test_a_target_of_32_kib_is_accepted(server: Server) -> None:
    target = "/auth/login?x=".ljust(LINE_BYTES, "a")
    assert ask(server.port, target, headers=BROWSER).status == 200


TOO_LONG = {
    "a header": ([f"X: {'a' * (LINE_BYTES + 1)}"], 431, "headers_too_large"),
    "cookies": ([f"Cookie: a={'a' * 40_000}"], 431, "headers_too_large"),
    "a header's name": ([f"{'x' * (LINE_BYTES + 1)}: a"], 431, "headers_too_large"),
    "a header as long as all": ([f"X: {'a' * HEAD_BYTES}"], 431, "headers_too_large"),
    "all headers": ([f"X-{n}: {'a' * 20_000}" for n in range(8)], 431, "headers_too_large"),
    "far too many": ([f"X-{n}: {'a' * 8000}" for n in range(120)], 431, "headers_too_large"),
    "too many lines": ([f"X-{n}: a" for n in range(HEAD_LINES)], 400, "request_invalid"),
}


@pytest.mark.parametrize("kind", TOO_LONG)
def test_longer_heads_are_refused_with_a_code(server: Server, kind: str) -> None:
    lines, status, code = TOO_LONG[kind]
    answer = answer_of(send(server.port, head("Accept: application/json", *lines)))
    assert (answer.status, answer.code) == (status, code)
    assert "'X" not in server.log(until=answer["X-Request-ID"])


@pytest.mark.parametrize(
    ("kind", "place"),
    [
        *((kind, "before") for kind in TOO_LONG),
        # What follows the longest head is not read.
        *((kind, "after") for kind in ("a header", "cookies", "a header's name", "too many lines")),
    ],
)
def test_a_browser_gets_a_page(server: Server, kind: str, place: str) -> None:
    lines, status, code = TOO_LONG[kind]
    order = [f"accept: {HTML}", *lines] if place == "before" else [*lines, f"ACCEPT: {HTML}"]
    answer = answer_of(send(server.port, head(*order)))
    assert (answer.status, answer["Content-Type"]) == (status, "text/html; charset=utf-8")
    assert code in answer.text
    assert "default-src 'none'" in answer["Content-Security-Policy"]


@pytest.mark.parametrize("size", [LINE_BYTES + 1, 2 * HEAD_BYTES])
def test_a_longer_target_is_refused(server: Server, size: int) -> None:
    target = "/auth/login?x=".ljust(size, "a")
    answer = answer_of(send(server.port, head(target=target)))
    assert (answer.status, answer.code) == (414, "uri_too_long")
    if size < HEAD_BYTES:
        page = answer_of(send(server.port, head(f"Accept: {HTML}", target=target)))
        assert (page.status, page["Content-Type"]) == (414, "text/html; charset=utf-8")


def test_pieces_of_a_long_head_make_no_difference(server: Server) -> None:
    for lines, status in (([f"X: {'a' * 40_000}"], 431), ([f"X: {'a' * 30_000}"], 200)):
        data = head(f"Accept: {HTML}", "Connection: close", *lines)
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
            for start in range(0, len(data), 1500):
                connection.sendall(data[start : start + 1500])
                time.sleep(0.0005)
            received = b"".join(iter(lambda: connection.recv(65536), b""))
        assert answer_of(received).status == status


@pytest.mark.parametrize("framing", ["Content-Length: 50", "Transfer-Encoding: chunked"])
def test_nothing_that_follows_a_long_head_is_a_request(server: Server, framing: str) -> None:
    smuggled = b"GET /auth/me HTTP/1.1\r\nHost: localhost\r\n\r\n"
    for lines in ([f"X: {'a' * 40_000}"], [f"X-{n}: {'a' * 20_000}" for n in range(8)]):
        received = send(server.port, head(framing, *lines) + smuggled * 3)
        assert received.count(b"HTTP/1.1 ") == 1
        assert answer_of(received).status == 431


def test_each_long_head_of_a_pipeline_counts(server: Server) -> None:
    long = head(f"X: {'a' * 40_000}", target="/healthz")
    received = send(server.port, long * 2 + head(target="/healthz"))
    assert [part[:3] for part in received.split(b"HTTP/1.1 ")[1:]] == [b"431"]


def test_requests_before_a_long_one_are_answered(server: Server) -> None:
    received = send(
        server.port, head(target="/healthz") * 2 + head(f"X: {'a' * (HEAD_BYTES + 9)}") * 2
    )
    assert [part[:3] for part in received.split(b"HTTP/1.1 ")[1:]] == [b"200", b"200", b"431"]
