"""Inputs that programs may frame differently: what each contains, and how it is to be answered."""

import socket
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import IO

HOST = "Host: {host}\r\n"
HIDDEN = "GET /.well-known/jwks.json HTTP/1.1\r\n" + HOST + "\r\n"
"""A request inside of a body. Nothing else here asks for that path: an answer to it is a fault."""
HIDDEN_MARK = b'"keys"'
CHUNKED = "Transfer-Encoding: chunked\r\n"
KEEP = "Connection: keep-alive\r\n"
NEXT = "GET /healthz HTTP/1.1\r\n" + HOST + "\r\n"
LENGTH = "Content-Length: {hidden}\r\n"


@dataclass(frozen=True)
class Row:
    """One input.

    `statuses` are the answers of Latchkey, as many as a front proxy counts requests; after them the
    connection is kept if `keeps`, unless that depends on how fast the bytes come (None). A row that
    is not `whole` makes a proxy wait for the rest.
    """

    name: str
    data: str
    statuses: tuple[int, ...]
    keeps: bool | None = False
    whole: bool = True
    proxies_may_answer: tuple[int, ...] = ()
    """Answers of 5xx that a proxy gives by itself: 501 and 505 refuse, and reach nobody."""

    @property
    def is_inside(self) -> bool:
        """Whether the hidden request is inside of a body; else a lenient proxy may see it."""
        return "{hidden}" in self.data or "{hex}" in self.data

    @property
    def count(self) -> int:
        """How many requests a front proxy counts, before it refuses the rest."""
        return len(self.statuses)

    def bytes(self, host: str) -> bytes:
        """Return what is sent."""
        hidden = len(HIDDEN.replace("{host}", host))
        text = self.data.replace("{host}", host).replace("{hidden}", str(hidden))
        return text.replace("{hex}", f"{hidden:x}").encode("latin-1")

    def methods(self) -> Sequence[str]:
        """Return the methods of the requests that are answered: HEAD has answers without a body."""
        return ["HEAD" if self.data.startswith("HEAD") else "GET", *(["GET"] * 100)]


def _request(line: str, headers: str = "", body: str = "", version: str = "1.1") -> str:
    return f"{line} HTTP/{version}\r\n{HOST}{headers}\r\n{body}"


def _chunks(extension: str = "", trailers: str = "") -> str:
    return f"{{hex}}{extension}\r\n{HIDDEN}\r\n0\r\n{trailers}\r\n"


def _post(headers: str, body: str, path: str = "/nothing", version: str = "1.1") -> str:
    return _request(f"POST {path}", headers, body, version)


def _size(line: str) -> str:
    """Return a chunked request whose first chunk has one byte, and this line of size."""
    return _post(CHUNKED, f"{line}\r\nx\r\n0\r\n\r\n")


_UPGRADE = "Connection: Upgrade\r\nUpgrade: "
_BAD = (400,)
_KEPT = True
_MALFORMED = (502,)
# Caddy's word for it when the client's chunks are malformed: it has begun to pass them on.

ROWS = (
    # Methods
    Row("CONNECT, path, body", _request("CONNECT /x", LENGTH, HIDDEN), (405,)),
    Row("CONNECT, authority, body", _request("CONNECT a:443", LENGTH, HIDDEN), (405,)),
    Row("CONNECT, any-method route", _request("CONNECT /auth/verify", LENGTH, HIDDEN), (405,)),
    Row("CONNECT, chunked", _request("CONNECT /x", CHUNKED, _chunks()), (405,)),
    Row("CONNECT, no body", _request("CONNECT a:443") + NEXT, (405,)),
    Row("CONNECT, 1.0", _request("CONNECT /x", KEEP + LENGTH, HIDDEN, "1.0"), (405,)),
    Row(
        "GET twice, then CONNECT",
        NEXT + NEXT + _request("CONNECT /x", LENGTH, HIDDEN),
        (200, 200, 405),
    ),
    Row("TRACE", _request("TRACE /auth/verify") + NEXT, (405,)),
    Row("TRACE, body", _request("TRACE /auth/verify", LENGTH, HIDDEN), (405,)),
    Row("an unknown method, body", _request("FROB /auth/verify", LENGTH, HIDDEN), _BAD),
    Row("a method in lower case", _request("get /healthz") + NEXT, _BAD),
    Row("SOURCE, body", _request("SOURCE /auth/verify", LENGTH, HIDDEN), (405,)),
    Row("the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + NEXT, _BAD, whole=False),
    Row("PROPFIND, body", _request("PROPFIND /", LENGTH, HIDDEN), (405,), _KEPT),
    Row("GET, body", _request("GET /healthz", LENGTH, HIDDEN), (200,), _KEPT),
    Row("HEAD, body", _request("HEAD /healthz", LENGTH, HIDDEN), (200,), _KEPT),
    Row("HEAD, chunked", _request("HEAD /healthz", CHUNKED, _chunks()), (200,), _KEPT),
    Row("DELETE, body", _request("DELETE /nothing", LENGTH, HIDDEN), (404,), _KEPT),
    Row("OPTIONS *, body", _request("OPTIONS *", LENGTH, HIDDEN), (404,), _KEPT),
    Row("a wrong method, body", _request("PUT /healthz", LENGTH, HIDDEN), (405,), _KEPT),
    # Early answers
    Row("any-method route, body", _request("GET /auth/verify", LENGTH, HIDDEN), (401,), _KEPT),
    Row("any-method route, chunked", _post(CHUNKED, _chunks(), "/auth/verify"), (401,), _KEPT),
    Row("no credential, body", _post(LENGTH, HIDDEN, "/api/v1/users"), (401,), _KEPT),
    Row("the body is to come", _post(LENGTH, HIDDEN[:9]), (404,), whole=False),
    Row(
        "the body is to come, any-method route",
        _post(LENGTH, "x", "/auth/verify"),
        (401,),
        whole=False,
    ),
    Row("the body is to come, 417", _post("Expect: x\r\n" + LENGTH, ""), (417,), whole=False),
    Row("the chunks are to come", _post(CHUNKED, "5\r\nab"), (404,), whole=False),
    Row(
        "65,536 bytes",
        _post("Content-Length: 65536\r\n", "x" * 65536, "/auth/logout"),
        (302,),
        _KEPT,
    ),
    Row(
        "over the limit, to come",
        _post("Content-Length: 70000\r\n", "", "/auth/logout"),
        (413,),
        whole=False,
    ),
    Row(
        "over the limit, chunked",
        _post(CHUNKED, f"{70000:x}\r\n" + "x" * 70000 + "\r\n0\r\n\r\n", "/auth/logout"),
        (413,),
        None,
    ),
    Row(
        "Content-Encoding",
        _post("Content-Encoding: gzip\r\n" + LENGTH, HIDDEN, "/auth/logout"),
        (415,),
        _KEPT,
    ),
    # Content-Length
    Row("two lengths, equal", _post("Content-Length: 0\r\n" * 2, "") + NEXT, _BAD),
    Row("two lengths", _post("Content-Length: 0\r\n" + LENGTH, HIDDEN), _BAD),
    Row("two lengths, the other way", _post(LENGTH + "Content-Length: 0\r\n", HIDDEN), _BAD),
    Row("a list of lengths", _post("Content-Length: 0, {hidden}\r\n", HIDDEN), _BAD),
    Row("a length with a sign", _post("Content-Length: +{hidden}\r\n", HIDDEN), _BAD),
    Row("a negative length", _post("Content-Length: -1\r\n", HIDDEN), _BAD),
    Row("no number", _post("Content-Length:\r\n", HIDDEN), _BAD),
    Row("a length in hexadecimal", _post("Content-Length: 0x1\r\n", "x" + HIDDEN), _BAD),
    Row("two numbers", _post("Content-Length: 0 {hidden}\r\n", HIDDEN), _BAD),
    Row("a length with zeros", _post("Content-Length: 000{hidden}\r\n", HIDDEN), (404,), _KEPT),
    Row("a length of 2**64", _post("Content-Length: 18446744073709551616\r\n", HIDDEN), _BAD),
    Row(
        "a length of 2**64 - 1",
        _post("Content-Length: 18446744073709551615\r\n", HIDDEN),
        (404,),
        whole=False,
    ),
    Row("a blank before the colon", _post("Content-Length : {hidden}\r\n", HIDDEN), _BAD),
    Row(
        "a length with an underscore",
        _post("Content_Length: {hidden}\r\n", "") + NEXT,
        (404, 200),
        _KEPT,
    ),
    # Transfer-Encoding
    Row(
        "length, then chunked", _post("Content-Length: 6\r\n" + CHUNKED, "0\r\n\r\n" + HIDDEN), _BAD
    ),
    Row(
        "chunked, then length", _post(CHUNKED + "Content-Length: 6\r\n", "0\r\n\r\n" + HIDDEN), _BAD
    ),
    Row("chunked twice", _post(CHUNKED * 2, _chunks()), _BAD, proxies_may_answer=(501,)),
    Row(
        "not chunked", _post("Transfer-Encoding: gzip\r\n", HIDDEN), _BAD, proxies_may_answer=(501,)
    ),
    Row(
        "identity",
        _post("Transfer-Encoding: identity\r\n", HIDDEN),
        _BAD,
        proxies_may_answer=(501,),
    ),
    Row(
        "chunked, not at the end",
        _post("Transfer-Encoding: chunked, gzip\r\n", _chunks()),
        _BAD,
        proxies_may_answer=(501,),
    ),
    Row(
        "xchunked",
        _post("Transfer-Encoding: xchunked\r\n", _chunks()),
        _BAD,
        proxies_may_answer=(501,),
    ),
    Row(
        "a vertical tab",
        _post("Transfer-Encoding: \x0bchunked\r\n", _chunks()),
        _BAD,
        proxies_may_answer=(501,),
    ),
    Row(
        "chunked and a blank before the colon",
        _post("Transfer-Encoding : chunked\r\n", _chunks()),
        _BAD,
    ),
    Row("chunked after a bare LF", _post("X: y\nTransfer-Encoding: chunked\r\n", _chunks()), _BAD),
    Row("chunked in capitals", _post("Transfer-Encoding: CHUNKED\r\n", _chunks()), (404,), _KEPT),
    Row("chunked, 1.0", _post(KEEP + CHUNKED, _chunks(), version="1.0"), _BAD),
    # Chunks
    Row("chunks", _post(CHUNKED, _chunks()), (404,), _KEPT),
    Row("chunks, then a request", _post(CHUNKED, _chunks()) + NEXT, (404, 200), _KEPT),
    Row(
        "blank lines in a chunk",
        _post(CHUNKED, "8\r\n\r\n\r\n\r\n\r\n\r\n0\r\n\r\n") + NEXT,
        (404, 200),
        _KEPT,
    ),
    Row("an extension", _post(CHUNKED, _chunks(';a=b;c="d"')), (404,), _KEPT),
    Row(
        "an extension with a bare LF",
        _post(CHUNKED, _chunks(";a\nb")),
        (404,),
        proxies_may_answer=_MALFORMED,
    ),
    Row(
        "trailers",
        _post(CHUNKED, _chunks(trailers="X: y\r\nAuthorization: Bearer z\r\n")),
        (404,),
        _KEPT,
    ),
    Row(
        "trailers, then a request",
        _post(CHUNKED, _chunks(trailers="Host: z\r\n")) + NEXT,
        (404, 200),
        _KEPT,
    ),
    Row("a length as a trailer", _post(CHUNKED, _chunks(trailers=LENGTH)), (404,)),
    Row(
        "Connection as a trailer",
        _post(CHUNKED, _chunks(trailers="Connection: close\r\n")),
        (404,),
        _KEPT,
    ),
    Row("a size with a sign", _size("+1") + HIDDEN, (404,), proxies_may_answer=_MALFORMED),
    Row("a negative size", _size("-1") + HIDDEN, (404,), proxies_may_answer=_MALFORMED),
    Row("a size with 0x", _size("0x1") + HIDDEN, (404,), proxies_may_answer=_MALFORMED),
    Row(
        "a size with zeros",
        _size("0000000000000000001"),
        (404,),
        _KEPT,
        proxies_may_answer=_MALFORMED,
    ),
    Row(
        "a size over 2**64",
        _size("10000000000000001") + HIDDEN,
        (404,),
        proxies_may_answer=_MALFORMED,
    ),
    Row("a size with a blank", _size("1 ") + HIDDEN, (404,), proxies_may_answer=_MALFORMED),
    Row("a size in words", _size("one") + HIDDEN, (404,), proxies_may_answer=_MALFORMED),
    Row(
        "a size that is read",
        _post(CHUNKED, "zz\r\n", "/auth/logout") + HIDDEN,
        _BAD,
        proxies_may_answer=_MALFORMED,
    ),
    Row(
        "a chunk that is longer",
        _post(CHUNKED, "1\r\nxx\r\n0\r\n\r\n") + HIDDEN,
        (404,),
        proxies_may_answer=_MALFORMED,
    ),
    Row(
        "chunks with bare LF",
        _post(CHUNKED, "1\nx\n0\n\n") + HIDDEN,
        (404,),
        proxies_may_answer=_MALFORMED,
    ),
    # Heads
    Row("a head with bare LF", "GET /healthz HTTP/1.1\nHost: {host}\n\n" + HIDDEN, _BAD),
    Row("a bare CR", _request("GET /healthz", "X: a\rb\r\n") + HIDDEN, _BAD),
    Row("a NUL", _request("GET /healthz", "X: a\0b\r\n") + HIDDEN, _BAD),
    Row("a folded line", _request("GET /healthz", "X: a\r\n b\r\n") + HIDDEN, _BAD),
    Row(
        "a first line that is folded",
        "GET /healthz HTTP/1.1\r\n X: a\r\n" + HOST + "\r\n" + HIDDEN,
        _BAD,
    ),
    Row("two hosts", _request("GET /healthz", "Host: evil.example\r\n") + HIDDEN, _BAD),
    Row("no host", "GET /healthz HTTP/1.1\r\n\r\n" + HIDDEN, _BAD),
    Row("another host in the target", _request("GET http://evil.example/healthz") + HIDDEN, _BAD),
    Row("the same host in the target", _request("GET http://{host}/healthz"), (200,), _KEPT),
    Row(
        "no host, a host in the target, 1.0", "GET http://a/healthz HTTP/1.0\r\n\r\n" + HIDDEN, _BAD
    ),
    Row("no host, no host in the target, 1.0", "GET a:b HTTP/1.0\r\n\r\n" + HIDDEN, _BAD),
    Row("a target that is no address", _request("GET http://[::1/healthz") + HIDDEN, _BAD),
    Row("HTTP/0.9", "GET /healthz\r\n" + HOST + KEEP + "\r\n" + HIDDEN, _BAD, whole=False),
    Row(
        "HTTP/1.2",
        _request("GET /healthz", version="1.2") + HIDDEN,
        _BAD,
        proxies_may_answer=(505,),
    ),
    Row(
        "HTTP/2.0",
        _request("GET /healthz", version="2.0") + HIDDEN,
        _BAD,
        proxies_may_answer=(505,),
    ),
    Row("1.0", _request("GET /healthz", version="1.0") + HIDDEN, (200,)),
    Row("1.0, kept, body", _post(KEEP + LENGTH, HIDDEN, version="1.0"), (404,), _KEPT),
    # What asks for something else
    Row("Expect", _post("Expect: 100-continue\r\n" + LENGTH, HIDDEN), (404,), _KEPT),
    Row("Expect, no body", _request("GET /healthz", "Expect: 100-continue\r\n"), (200,), _KEPT),
    Row("Expect what is unknown", _post("Expect: x\r\n" + LENGTH, HIDDEN), (417,), _KEPT),
    Row("Expect what is no text", _post("Expect: \xff\r\n" + LENGTH, HIDDEN), (417,)),
    Row(
        "Expect what is no text, of a route",
        _request("GET /healthz", "Expect: a\xe4\r\n") + HIDDEN,
        (417,),
    ),
    Row("a WebSocket", _request("GET /healthz", _UPGRADE + "websocket\r\n") + HIDDEN, (200,)),
    Row("a WebSocket, body", _post(_UPGRADE + "websocket\r\n" + LENGTH, HIDDEN), (404,)),
    Row("h2c", _request("GET /healthz", _UPGRADE + "h2c\r\n") + HIDDEN, (200,)),
    Row("h2c, body", _post(_UPGRADE + "h2c\r\n" + LENGTH, HIDDEN), (404,)),
    Row(
        "close, then a request", _request("GET /healthz", "Connection: close\r\n") + HIDDEN, (200,)
    ),
    Row(
        "Connection names the length",
        _post("Connection: Content-Length\r\n" + LENGTH, HIDDEN),
        (404,),
        _KEPT,
    ),
    # Pipelines
    Row("60 requests", NEXT * 60, (200,) * 60, _KEPT),
    Row("empty lines between", "\r\n" + NEXT + "\r\n" + NEXT, (200, 200), _KEPT),
    Row("a good one, then a bad one", NEXT + "BAD\r\n\r\n" + HIDDEN, (200, 400)),
    Row("a body, then a request", _post(LENGTH, HIDDEN) + NEXT, (404, 200), _KEPT),
)


def answers(stream: socket.socket, methods: Sequence[str]) -> Generator[tuple[int, str, bytes]]:
    """Yield status, head in lower case and body of each final answer, until the peer closes."""
    left = list(methods)
    with stream.makefile("rb") as file:
        while line := file.readline():
            head = line.decode("latin-1").lower()
            while (line := file.readline()) not in {b"\r\n", b""}:
                head += line.decode("latin-1").lower()
            status = int(head.split()[1])
            if status >= 200:
                is_bare = left.pop(0) == "HEAD" or status in {204, 304}
                yield status, head, b"" if is_bare else _body(file, head)


def _body(file: IO[bytes], head: str) -> bytes:
    fields = dict(line.split(": ", 1) for line in head.splitlines()[1:])
    if fields.get("transfer-encoding") == "chunked":
        body = b""
        while size := int(file.readline(), 16):
            body += file.read(size + 2)[:-2]
        file.readline()
        return body
    if "content-length" in fields:
        return file.read(int(fields["content-length"]))
    return file.read()
