"""A plain HTTP client that hides nothing: status, headers in their order, body."""

import json
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any

from service.endpoints.revocations import RENEWED_SECONDS

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The code of a problem (RFC 9457), after a look at its shape."""
        problem = self.json
        assert self["Content-Type"] == "application/problem+json"
        assert problem["status"] == self.status
        assert problem.keys() >= {"type", "title", "status", "detail", "code"}
        return str(problem["code"])

    @property
    def token(self) -> str:
        """The JWT in the one session cookie of a sign-in."""
        return self["Set-Cookie"].partition("=")[2].partition(";")[0]

    def all(self, name: str) -> list[str]:
        """Every value of a header."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def __getitem__(self, name: str) -> str:
        """The only value of a header."""
        (value,) = self.all(name)
        return value


def ask(
    port: int,
    path: str,
    method: str = "GET",
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
) -> Answer:
    """Send one request on a connection of its own."""
    connection = HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, path, body=body, headers=dict(headers or {}))
        response = connection.getresponse()
        return Answer(response.status, response.getheaders(), response.read())
    finally:
        connection.close()


def send(port: int, data: bytes) -> bytes:
    """Send raw bytes, and return everything that comes back until the server closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(data)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def sign_in(port: int, username: str = "admin") -> str:
    """Sign in by bypass and return the JWT."""
    answer = ask(port, f"/auth/bypass?token={username}")
    assert answer.status == 302, answer.text
    return answer.token


def cookie(token: str) -> dict[str, str]:
    """Return the headers of a browser that has this cookie."""
    return {"Cookie": f"jwt={token}"}


def bearer(token: str) -> dict[str, str]:
    """Return the headers of a program that has this token."""
    return {"Authorization": f"Bearer {token}"}


def rested(seconds: float) -> None:
    """Wait until the documents of the feed are not signed anew for so long."""
    left = RENEWED_SECONDS - time.time() % RENEWED_SECONDS
    if left < seconds:
        time.sleep(left + 0.1)
