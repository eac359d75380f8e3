"""An application that reads a request to its very end, trailers too, as some servers merge them."""

import contextlib
import socket
import threading
from dataclasses import dataclass
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import Any, Self

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


@dataclass(frozen=True)
class Request:
    """A request as it came over the wire: header lines, the body, and the lines after the body."""

    line: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    trailers: tuple[str, ...]

    @property
    def target(self) -> str:
        """The target of the request line."""
        return self.line.split(" ")[1]

    def all(self, name: str) -> list[str]:
        """Every value of a header."""
        return [value for known, value in self.headers if known.lower() == name.lower()]


class TrailerApplication(ThreadingTCPServer):
    """Answers 200 to everything, one request for each connection, and keeps what it received."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.received: list[Request] = []
        self.answers: dict[str, tuple[int, dict[str, str]]] = {}
        self.port: int = self.server_address[1]
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02})

    def __enter__(self) -> Self:
        """Begin to serve."""
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Stop."""
        self.shutdown()
        self._thread.join(10)
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: proxies break off what they refuse."""


class _Handler(StreamRequestHandler):
    server: TrailerApplication
    timeout = 10

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            request = self._read()
            if request is not None:
                self.server.received.append(request)
                self.connection.sendall(ANSWER)
                self.connection.shutdown(socket.SHUT_WR)

    def _read(self) -> Request | None:
        line = self._line()
        if not line:
            return None
        headers: list[tuple[str, str]] = []
        while text := self._line():
            name, _, value = text.partition(":")
            headers.append((name, value.strip()))
        known = {name.lower(): value for name, value in headers}
        if known.get("transfer-encoding", "").lower() != "chunked":
            body = self.rfile.read(int(known.get("content-length", 0)))
            return Request(line, tuple(headers), body, ())
        body = b""
        while size := int(self._line().partition(";")[0], 16):
            body += self.rfile.read(size)
            self._line()
        trailers: list[str] = []
        while text := self._line():
            trailers.append(text)
        return Request(line, tuple(headers), body, tuple(trailers))

    def _line(self) -> str:
        return self.rfile.readline(65536).decode("latin-1").removesuffix("\n").removesuffix("\r")
