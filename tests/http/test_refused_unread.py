"""Requests that are refused before they are read: the client gets its answer, and no reset.

Otherwise a proxy would count a failure of this server, and stop using it for everybody.
"""

import socket
import threading

import pytest

from tests.http.test_connection import parse
from tests.support.servers import Server

STORES = ("sqlite",)  # no store has a part in this
LENGTH = 2_000_000
BODY = f"Content-Length: {LENGTH}"
CHUNKED = "Transfer-Encoding: chunked"
KINDS: dict[str, tuple[int, list[str]]] = {
    "many lines": (400, [f"X-{n}: a" for n in range(150)]),
    "a control character": (400, ["X: a\x01b"]),
    "a folded line": (400, ["X: a", " b"]),
    "two lengths": (400, ["Content-Length: 7"]),
    "no colon": (400, ["nothing"]),
    "a long head": (431, [f"X-{n}: {'a' * 30_000}" for n in range(8)]),
    "a long line": (431, [f"X: {'a' * 40_000}"]),
}


@pytest.mark.parametrize("framing", [BODY, CHUNKED], ids=["length", "chunked"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_answer_arrives_while_the_client_still_sends(
    server: Server, kind: str, framing: str
) -> None:
    status, lines = KINDS[kind]
    head = "\r\n".join(["POST /auth/logout HTTP/1.1", "Host: localhost", *lines, framing])
    failures: list[OSError] = []

    def send(connection: socket.socket) -> None:
        try:
            connection.sendall(f"{head}\r\n\r\n".encode() + b"a" * LENGTH)
        except OSError as error:
            failures.append(error)

    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        sending = threading.Thread(target=send, args=(connection,))
        sending.start()
        received = b"".join(iter(lambda: connection.recv(65536), b""))
        sending.join()
    assert not failures
    assert parse(received).status == status
