"""Many requests on one connection: each is answered as if it were alone, however the bytes come."""

import asyncio
import random
import socket
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from service.server import framing
from service.server.run import listening
from service.web import context
from tests.support.client import sign_in
from tests.support.environment import Settings, free_port
from tests.support.framing import answers
from tests.support.servers import Server

STORES = ("sqlite",)  # no store has a part in this

MANY = 17_001
"""More chunks than aiohttp (3.14) takes before it pauses its parser."""

Answer = tuple[int, bytes]


@pytest.fixture(scope="module")
def token(server: Server) -> str:
    """Return the token that no request may find in another one."""
    return sign_in(server.port)


def request(line: str, *headers: str, body: bytes = b"") -> bytes:
    """Return a request of the service's own pages."""
    lines = (f"{line} HTTP/1.1", "Host: localhost", "Sec-Fetch-Site: same-origin", *headers)
    return "".join(f"{each}\r\n" for each in lines).encode() + b"\r\n" + body


def chunk(data: bytes, extension: str = "") -> bytes:
    """Return a chunk."""
    return f"{len(data):x}{extension}\r\n".encode() + data + b"\r\n"


ME = request("GET /auth/me")
"""Without a credential: 401 if it is read as what it is."""
CHUNKED = "Transfer-Encoding: chunked"


def pieces(data: bytes, cuts: list[int]) -> Iterator[bytes]:
    """Yield a stream in pieces that end where the cuts are."""
    for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
        yield data[start:end]


def exchange(port: int, parts: Iterator[bytes] | list[bytes], pause: float) -> list[Answer]:
    """Send pieces with a pause after each, and return the answers up to the end."""
    got: list[Answer] = []
    with socket.create_connection(("127.0.0.1", port), timeout=8) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2**21)
        with suppress(OSError):  # an early answer: nobody reads the rest
            for part in parts:
                connection.sendall(part)
                time.sleep(pause)
            connection.shutdown(socket.SHUT_WR)
        with suppress(ConnectionError), closing(answers(connection, ["GET"] * 999)) as received:
            got.extend((status, _without_id(body)) for status, _, body in received)
    return got


def _without_id(body: bytes) -> bytes:
    return body.split(b'"request_id"')[0]


def busy() -> bytes:
    """Return a request that takes long enough for what follows to arrive before it is read."""
    return request("POST /auth/logout", CHUNKED, body=chunk(b"x") * 3000 + b"0\r\n\r\n")


@pytest.mark.parametrize("chunks", [1, 11, MANY])
def test_a_trailer_is_no_header_of_the_next_request(
    server: Server, token: str, chunks: int
) -> None:
    head = request("POST /auth/logout", CHUNKED)
    trailer = f"Authorization: Bearer {token}\r\n".encode()
    # The body has been read up to its last chunk when the rest comes.
    parts = [busy() + head + chunk(b"x") * chunks, chunk(b"x") + b"0\r\n" + trailer + b"\r\n" + ME]
    assert [status for status, _ in exchange(server.port, parts, 0.7)] == [302, 302, 401]


@pytest.mark.parametrize("chunks", [1, MANY])
def test_the_content_of_a_body_is_no_request(server: Server, token: str, chunks: int) -> None:
    hidden = request("GET /auth/me", f"Authorization: Bearer {token}")
    head = request("POST /auth/logout", CHUNKED)
    parts = [
        busy() + head + chunk(b"x") * chunks,
        chunk(b"x") + b"0\r\n\r\n" + head + chunk(b"x") + b"0\r\n\r\n" + head,
        chunk(hidden) + b"0\r\n\r\n" + ME,
    ]
    assert [status for status, _ in exchange(server.port, parts, 0.7)] == [302, 302, 302, 302, 401]


@pytest.mark.parametrize("end", ["\r\n", "\r\n\r\n"])
def test_a_body_may_have_many_lines_however_it_is_cut(server: Server, token: str, end: str) -> None:
    lines = [f"{line}{end}".encode() for line in ("{", '"a":', *[" "] * 6000, "1}")]
    content = b"".join(lines)
    headers = ("Content-Type: application/json", f"Authorization: Bearer {token}")
    length = request(
        "POST /api/v1/users", *headers, f"Content-Length: {len(content)}", body=content
    )
    (expected,) = exchange(server.port, [length], 0)
    assert expected[0] == 422  # it was read
    head = request("POST /api/v1/users", *headers, CHUNKED)
    for cut in (lines, [content], [content[at : at + 5] for at in range(0, len(content), 5)]):
        body = b"".join(map(chunk, cut)) + b"0\r\n\r\n"
        assert exchange(server.port, [head + body + ME], 0) == [
            expected,
            *exchange(server.port, [ME], 0),
        ]


@pytest.mark.parametrize(
    "body",
    [
        chunk(b"x") * 60_000,
        chunk(b"xx", ";a") * 20_000,
        chunk(b"x", ";" + "e" * 20_000),
        chunk(b"x" * 100, ";" + "e" * 1000) * 200,
        b"0\r\n" + b"X: y\r\n" * 40_000,
    ],
    ids=["bytes", "extensions", "an extension", "long extensions", "trailers"],
)
def test_a_body_that_is_nearly_all_framing_is_refused(server: Server, body: bytes) -> None:
    data = request("POST /auth/logout", CHUNKED, body=body + b"0\r\n\r\n" + ME)
    with socket.create_connection(("127.0.0.1", server.port), timeout=8) as connection:
        with suppress(OSError):
            connection.sendall(data)
        with suppress(ConnectionError), closing(answers(connection, ["GET"] * 9)) as received:
            status, head, answer = next(received)
            assert status == 400
            assert "connection: close\r\n" in head
            assert b'"code":"request_invalid"' in answer
            assert list(received) == []


@dataclass
class Pipeline:
    """Requests of every kind, one after the other."""

    chance: random.Random
    token: str
    paths: tuple[str, ...]
    requests: list[bytes] = field(default_factory=list)

    def add(self) -> None:
        """Add a request."""
        chance, kind = self.chance, self.chance.random()
        if kind < 0.25:
            self.requests.append(chance.choice([ME, request("GET /healthz")]))
            return
        path = chance.choice(self.paths)
        headers = ["Content-Type: application/json"]
        if path == "/api/v1/users":
            headers.append(f"Authorization: Bearer {self.token}")
        content = self.content()
        if kind < 0.45:
            headers.append(f"Content-Length: {len(content)}")
            self.requests.append(request(f"POST {path}", *headers, body=content))
        else:
            body = b"".join(self.chunks(content)) + b"0" + self.extension().encode() + b"\r\n"
            body += self.trailers() + b"\r\n"
            self.requests.append(request(f"POST {path}", *headers, CHUNKED, body=body))

    def content(self) -> bytes:
        """Return a body: what looks like framing, requests, or nothing at all."""
        size = self.chance.choice([1, 5, 300, 3000, 20_000])
        seed = self.chance.choice(
            [b"x", b"\r\n", b"0\r\n\r\n", b'{"username":\r\n\r\n', request("GET /auth/me")]
        )
        return (seed * size)[:size]

    def chunks(self, content: bytes) -> Iterator[bytes]:
        """Cut a body into chunks."""
        most = self.chance.choice([1, 1, 2, 7, 1000, 65_536])
        start = 0
        while start < len(content):
            end = start + self.chance.randint(1, most)
            yield chunk(content[start:end], self.extension())
            start = end

    def extension(self) -> str:
        """Return a chunk's extension, or nothing nearly always."""
        return (
            self.chance.choice([";a", ";a=b", ';a="b c";d']) if self.chance.random() < 0.02 else ""
        )

    def trailers(self) -> bytes:
        """Return fields that would change the next request."""
        mine = (
            f"Authorization: Bearer {self.token}",
            f"Cookie: jwt={self.token}",
            "X-Forwarded-Host: evil",
        )
        count = self.chance.choice([0, 0, 1, 2])
        return "".join(f"{each}\r\n" for each in self.chance.sample(mine, count)).encode()


READING = ("/auth/logout", "/api/v1/users")
EARLY = ("/nothing", "/auth/verify")
"""These answer without the body: if it has not arrived to its end, the answer is the last one."""


def exchanged(
    port: int, token: str, seed: int, paths: tuple[str, ...]
) -> Iterator[tuple[list[Answer], list[Answer]]]:
    """Yield what a pipeline got, and what its requests get one by one, for several cuts."""
    chance = random.Random(seed)  # noqa: S311
    pipeline = Pipeline(chance, token, paths)
    for _ in range(chance.randint(2, 40)):
        pipeline.add()
    alone = [exchange(port, [each], 0) for each in pipeline.requests]
    assert {len(each) for each in alone} == {1}
    expected = [answer for each in alone for answer in each]
    assert not any(b"request_invalid" in text for _, text in expected)
    data = b"".join(pipeline.requests)
    for most in (len(data), 100_000, 20_000):
        cuts: list[int] = []
        while (place := sum(cuts[-1:]) + chance.randint(1, most)) < len(data):
            cuts.append(place)
        yield exchange(port, pieces(data, cuts), chance.choice([0, 0.002, 0.02])), expected


@pytest.mark.parametrize("seed", range(40))
def test_a_pipeline_is_answered_like_single_requests(server: Server, token: str, seed: int) -> None:
    for got, expected in exchanged(server.port, token, seed, READING):
        assert got == expected


@pytest.mark.parametrize("seed", range(10))
def test_so_is_one_with_early_answers_as_far_as_it_goes(
    server: Server, token: str, seed: int
) -> None:
    for got, expected in exchanged(server.port, token, seed, READING + EARLY):
        assert got == expected[: len(got)]


@pytest.mark.parametrize("seed", range(10))
async def test_nor_does_it_matter_when_reading_stops(
    settings: Settings, where: object, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    del where
    whole = framing.FramedHandler.__init__

    def begin(handler: framing.FramedHandler, server: web.Server, **options: Any) -> None:
        # aiohttp stops reading whenever 128 bytes, or four chunks, wait for a handler.
        whole(handler, server, read_bufsize=64, **options)

    monkeypatch.setattr(framing.FramedHandler, "__init__", begin)
    async with listening(settings(PORT=str(free_port()))) as app:
        port = app[context.CONFIG].port
        token = await asyncio.to_thread(sign_in, port)
        for paths in (READING, READING + EARLY):
            tried = exchanged(port, token, seed, paths)
            while pair := await asyncio.to_thread(next, tried, None):
                got, expected = pair
                assert got == (expected if paths is READING else expected[: len(got)])
