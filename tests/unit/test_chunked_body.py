"""Chunked bodies are taken apart as aiohttp's parser does it, or refused."""

import asyncio
import random
from collections.abc import Iterator

import pytest
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import HttpProcessingError, HttpRequestParser
from aiohttp.streams import StreamReader

from service.limits.client_limits import BODY_BYTES
from service.server.chunked_body import LINE_BYTES, OVERHEAD_BYTES, Chunks, Malformed

HEAD = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
AFTER = b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n"


class Reading(BaseProtocol):
    """What a parser gives its content to: it is never paused."""

    def pause_reading(self) -> None:
        """Go on."""

    def resume_reading(self, resume_parser: bool = True) -> None:  # noqa: FBT001, FBT002  # as there
        """Go on."""


class Parser:
    """aiohttp's, that has read a head."""

    payload: StreamReader

    async def begin(self) -> None:
        """Read the head."""
        protocol = Reading(asyncio.get_running_loop())
        self._parser = HttpRequestParser(protocol, protocol._loop, 2**18)
        ((_, self.payload),), _, _ = self._parser.feed_data(HEAD)

    def feed(self, data: bytes) -> None:
        """Read a piece of the body."""
        self._parser.feed_data(data)

    def content(self) -> bytes:
        """Return what has been read."""
        return self.payload.read_nowait()


async def parser() -> Parser:
    """Return a new one."""
    new = Parser()
    await new.begin()
    return new


async def read(body: bytes) -> tuple[bytes, int] | None:
    """Return content and end of a body as aiohttp reads it, or None."""
    whole = await parser()
    try:
        for end in range(1, len(body) + 1):
            whole.feed(body[end - 1 : end])
            if whole.payload.is_eof():
                return whole.content(), end
    except HttpProcessingError:
        pass
    return None


async def taken(body: bytes, cuts: list[int]) -> tuple[bytes, int] | None:
    """Return content and end of a body that comes in pieces, or None."""
    chunks, rest = Chunks(), await parser()
    for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True):
        try:
            piece, at = chunks.take(body[:end], start)
            rest.feed(piece)
        except (Malformed, HttpProcessingError):
            return None
        assert rest.payload.is_eof() == chunks.is_complete
        if chunks.is_complete:
            return rest.content(), at
        assert at == end
    return None


def cuts(chance: random.Random, size: int) -> list[int]:
    """Return some places."""
    return sorted(chance.sample(range(1, size), min(size - 1, chance.choice([0, 1, 5, size]))))


def body(chance: random.Random) -> bytes:
    """Return a chunked body."""

    def lines() -> Iterator[bytes]:
        for _ in range(chance.choice([0, 1, 3, 20])):
            content = chance.choice([b"x", b"\r\n", b"0\r\n\r\n", b"\r\n\r\n", AFTER])
            content *= chance.choice([1, 1, 9])
            size = chance.choice(["%x", "%X", "00%x", "0000000000000000000%x"]) % len(content)
            extension = chance.choice(["", "", "", ";a", ";a=b", ';a="b;\\" c";d', ";a=1;b=2"])
            yield f"{size}{extension}\r\n".encode() + content + b"\r\n"
        yield chance.choice([b"0", b"000", b"0;a=b"]) + b"\r\n"
        yield chance.choice([b"", b"", b"X: y\r\n", b"X: y\r\nAuthorization: Bearer z\r\n"])
        yield b"\r\n"

    return b"".join(lines())


@pytest.mark.parametrize("seed", range(300))
async def test_content_and_end_are_those_that_aiohttp_finds(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311  # a choice of inputs, not a secret
    data = body(chance)
    expected = await read(data + AFTER)
    assert expected is not None
    assert expected[1] == len(data)
    for _ in range(5):
        assert await taken(data + AFTER, cuts(chance, len(data + AFTER))) == expected


@pytest.mark.parametrize("seed", range(100))
async def test_what_aiohttp_refuses_is_refused(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311  # the same
    for _ in range(30):
        data = bytearray(body(chance))
        for _ in range(chance.choice([1, 1, 2])):
            place, odd = chance.randrange(len(data)), chance.choice(b'\r\n0 1;x\t\0+-"=\xff\\')
            data[place : place + chance.choice([0, 1, 2])] = bytes([odd] * chance.choice([0, 1]))
        got = await taken(bytes(data) + AFTER, cuts(chance, len(data + AFTER)))
        assert got is None or got == await read(bytes(data) + AFTER)


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n1\r\nx\r\n0\r\n\r\n",
        b"1\r\nx0\r\n\r\n",
        b"1\nx\n0\n\n",
        b"0x1\r\nx\r\n0\r\n\r\n",
        b"1_0\r\nx\r\n0\r\n\r\n",
        b" 1\r\nx\r\n0\r\n\r\n",
        b"10000000000000001\r\nx\r\n0\r\n\r\n",
        b"1;a\rb\r\nx\r\n0\r\n\r\n",
        b"1;" + b"a" * LINE_BYTES + b"\r\nx\r\n0\r\n\r\n",
    ],
)
async def test_nothing_else_is_a_body(data: bytes) -> None:
    assert await taken(data + AFTER, []) is None
    assert await taken(data + AFTER, list(range(1, len(data)))) is None


async def test_what_cannot_become_a_line_is_refused_before_its_end() -> None:
    for start in (b"z", b"1;a\n", b"1\r\nxx", b"1" * LINE_BYTES):
        with pytest.raises(Malformed):
            Chunks().take(start, 0)


def in_chunks(count: int, content: bytes = b"x", extension: bytes = b"") -> bytes:
    """Return chunks, with the last one and without the end of the trailers."""
    return b"%x%b\r\n%b\r\n" % (len(content), extension, content) * count + b"0\r\n"


@pytest.mark.parametrize("step", [7, 1000, 2**18])
def test_a_body_in_many_chunks_is_taken_up_to_the_bound(step: int) -> None:
    def take(data: bytes) -> bool:
        chunks = Chunks()
        for start in range(0, len(data), step):
            chunks.take(data[start : start + step], 0)
        return chunks.is_complete

    most = (OVERHEAD_BYTES - 5) // 5
    rest = OVERHEAD_BYTES - 5 - most * 5
    assert take(in_chunks(-(-BODY_BYTES // 3), b"xxx") + b"\r\n")
    assert take(in_chunks(most) + b"\r\n")
    for data in (
        in_chunks(most + 1) + b"\r\n",
        in_chunks(most) + b"X:" + b"y" * rest + b"\r\n\r\n",
        in_chunks(2, extension=b";" + b"e" * LINE_BYTES) + b"\r\n",
        in_chunks(150, extension=b";" + b"e" * (LINE_BYTES - 10)) + b"\r\n",
        in_chunks(150, b"x" * 100, extension=b";" + b"e" * (LINE_BYTES - 10)) + b"\r\n",
    ):
        with pytest.raises(Malformed):
            take(data)


@pytest.mark.parametrize(
    ("start", "more"), [(b"1;", b"e"), (b"0\r\n", b"X: y\r\n"), (b"", b"1\r\nx\r\n"), (b"", b"0")]
)
def test_nobody_waits_for_the_end_of_what_is_too_long(start: bytes, more: bytes) -> None:
    chunks, taken = Chunks(), 0

    def go_on(data: bytes) -> None:
        nonlocal taken
        chunks.take(data, 0)
        taken += len(data)
        go_on(more * 1000)

    with pytest.raises(Malformed):
        go_on(start)
    assert taken <= OVERHEAD_BYTES * 6 / 5
