"""What tests of faults share: asking again and again, and what a refusal has to look like."""

import json
import os
import socket
import statistics
import threading
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.support.client import Answer, ask, bearer, cookie
from tests.support.servers import Server

ROUNDS = int(os.environ.get("LATCHKEY_ROUNDS", "20"))
"""How often what has to hold each time is tried. 200 is the promise."""

PATIENCE = 40.0
"""Seconds after which something hangs: far more than anything here takes."""


def status(server: Server, token: str) -> int:
    """Return how a server answers a token."""
    return ask(server.port, "/auth/me", headers=bearer(token)).status


def until(condition: Callable[[], bool]) -> float:
    """Return how many seconds it takes until something holds."""
    began = time.perf_counter()
    while not condition():
        assert time.perf_counter() - began < PATIENCE
        time.sleep(0.002)
    return time.perf_counter() - began


def refused_by_all(servers: list[Server], *tokens: str) -> float:
    """Return how many seconds it takes until all servers refuse tokens."""
    return until(lambda: all(status(each, token) == 401 for each in servers for token in tokens))


def sign_out(server: Server, token: str) -> None:
    """Sign out, again and again until it is acknowledged."""
    began = time.perf_counter()
    while (answer := ask(server.port, "/auth/logout", "POST", headers=cookie(token))).status != 302:
        assert_unavailable(answer)
        assert time.perf_counter() - began < PATIENCE


def sign_in_again(server: Server) -> tuple[str, float]:
    """Sign in, again and again until it works; return the token and how long that took."""
    began = time.perf_counter()
    while (answer := ask(server.port, "/auth/bypass?token=admin")).status != 302:
        assert_unavailable(answer)
        assert time.perf_counter() - began < PATIENCE
        time.sleep(0.01)
    return answer.token, time.perf_counter() - began


def session_of(token: str) -> str:
    """Return the `sid` of a token."""
    claims = token.split(".")[1]
    return str(json.loads(urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["sid"])


def assert_unavailable(answer: Answer) -> None:
    """Check that a refusal is ours, tells strangers no reason, and says when to come again."""
    assert (answer.status, answer.code) == (503, "database_unavailable"), answer.text
    assert int(answer["Retry-After"]) > 0
    for word in ("psycopg", "postgres", "sqlite", "Traceback", "SELECT", "latchkey.db"):
        assert word not in answer.text.lower()


def assert_calm(servers: list[Server]) -> None:
    """End servers, which they do as told; none has printed a traceback."""
    for server in servers:
        server.process.terminate()
    for server in servers:
        assert server.process.wait(30) == 0, server.log()
        assert "Traceback" not in server.log(), server.log()


def told(what: str, times: list[float]) -> None:
    """Print the figures."""
    p50 = statistics.median(times) * 1000
    print(f"\n{what}: {len(times)} times, p50 {p50:.0f} ms, worst {max(times) * 1000:.0f} ms")  # noqa: T201  # they are wanted


@dataclass
class Load:
    """What came back from connections that ask `/auth/verify` as fast as they are answered."""

    right: int = 0
    wrong: list[bytes] = field(default_factory=list)
    slowest: float = 0.0
    over: threading.Event = field(default_factory=threading.Event)

    def _ask(self, port: int, token: str, expected: bytes) -> None:
        request = (
            f"GET /auth/verify HTTP/1.1\r\nHost: localhost:{port}\r\n"
            f"Authorization: Bearer {token}\r\n\r\n"
        ).encode()
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
            while not self.over.is_set():
                began = time.perf_counter()
                connection.sendall(request)
                answer = _whole(connection)
                self.slowest = max(self.slowest, time.perf_counter() - began)
                if answer.startswith(expected):
                    self.right += 1
                else:
                    self.wrong.append(answer)

    @contextmanager
    def on(self, server: Server, good: str, bad: str, connections: int = 8) -> Iterator[None]:
        """Ask with a token that is good and one that was taken back, by turns."""
        kinds = [(good, b"HTTP/1.1 200 "), (bad, b"HTTP/1.1 401 ")]
        threads = [
            threading.Thread(target=self._ask, args=(server.port, *kinds[number % 2]))
            for number in range(connections)
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self.over.set()
            for thread in threads:
                thread.join(PATIENCE)
        assert not any(thread.is_alive() for thread in threads)


def _whole(connection: socket.socket) -> bytes:
    """Read one answer to its end."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return data
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body
