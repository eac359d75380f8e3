"""A session that ends while its request waits for a body: it is over."""

import asyncio
import json
import socket
import time
from collections.abc import Awaitable, Callable
from urllib.parse import urlencode

import pytest

from service import db, users
from service.db import Transaction
from tests.http.test_ended_meanwhile import BY, MANAGER
from tests.support.admin import FORM
from tests.support.client import ask, bearer, sign_in
from tests.support.servers import Server, Start

pytestmark = pytest.mark.both_stores
JSON = "application/json"


@pytest.fixture(scope="module")
def latchkey(start: Start) -> Server:
    """Return a server whose users are changed."""
    return start()


class Held:
    """A request that is complete but for the last byte of its body."""

    def __init__(self, server: Server, method: str, path: str, token: str, body: bytes) -> None:
        kind = FORM if path.startswith("/admin") else JSON
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nCookie: jwt={token}\r\n"
            f"Sec-Fetch-Site: same-origin\r\nContent-Type: {kind}\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        self._last = body[-1:]
        self._socket = socket.create_connection(("127.0.0.1", server.port), timeout=20)
        self._socket.sendall(head.encode() + body[:-1])

    def finish(self) -> tuple[int, str]:
        """Send the last byte; return the status, and the code of a problem."""
        with self._socket as connection:
            connection.sendall(self._last)
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        head, _, body = answer.partition(b"\r\n\r\n")
        is_problem = b"application/problem+json" in head
        return int(head.split()[1]), str(json.loads(body)["code"]) if is_problem else ""


def hold_all(server: Server, token: str, name: str) -> list[Held]:
    """Begin a request of each kind: reading, exchanging, changing by the API and by a form."""
    new = json.dumps({"username": name, "roles": ["manage_users"]}).encode()
    form = urlencode({"username": f"{name}2", "roles": "manage_users"}).encode()
    return [
        Held(server, "POST", "/api/v1/users", token, new),
        Held(server, "POST", "/admin/users/new", token, form),
        Held(server, "GET", "/api/v1/users?limit=1", token, b"{}"),
        Held(server, "GET", "/admin", token, b"{}"),
        Held(server, "GET", "/auth/me", token, b"{}"),
        Held(server, "GET", "/auth/token", token, b"{}"),
    ]


def elsewhere(server: Server, change: Callable[[Transaction], Awaitable[object]]) -> None:
    """Change something as another process does."""

    async def run() -> None:
        async with db.connect(server.database) as database, database.transaction() as tx:
            await change(tx)

    asyncio.run(run())


async def delete(tx: Transaction) -> None:
    """Delete the manager."""
    await users.delete(tx, BY, await users.get_by_username(tx, MANAGER))


async def sign_out(tx: Transaction) -> None:
    """End all sessions of the manager."""
    await users.sign_out(tx, BY, (await users.get_by_username(tx, MANAGER))["id"])


WAYS: dict[str, str | Callable[[Transaction], Awaitable[object]]] = {
    "sign-out": "/auth/logout",
    "sign-out everywhere": "/auth/logout?everywhere=true",
    "disabled": lambda tx: users.set_disabled(tx, BY, MANAGER, disabled=True),
    "deleted": delete,
    "signed out": sign_out,
    "all signed out": lambda tx: users.sign_out_all(tx, BY, int(time.time())),
}


@pytest.mark.parametrize("end", WAYS.values(), ids=WAYS)
def test_a_session_that_ended_before_the_body_was_there_is_refused(
    latchkey: Server, end: str | Callable[[Transaction], Awaitable[object]]
) -> None:
    latchkey.cli("user", "create", MANAGER, "--role", "manage_users")
    latchkey.cli("user", "enable", MANAGER)
    token, name = sign_in(latchkey.port, MANAGER), f"backdoor{time.monotonic_ns()}"
    held = hold_all(latchkey, token, name)
    time.sleep(0.2)
    if isinstance(end, str):
        assert ask(latchkey.port, end, "POST", headers=bearer(token)).status == 302
    else:
        elsewhere(latchkey, end)
    deadline = time.monotonic() + 2
    while ask(latchkey.port, "/auth/me", headers=bearer(token)).status == 200:
        assert time.monotonic() < deadline
    assert [each.finish() for each in held] == [(401, "token_revoked")] * len(held)
    assert latchkey.cli("user", "show", name).returncode == 1
    assert latchkey.cli("user", "show", f"{name}2").returncode == 1


def test_a_manager_who_was_demoted_before_the_body_was_there_is_refused(start: Start) -> None:
    server, name = start(), f"once{time.monotonic_ns()}"
    server.cli("user", "create", name, "--role", "manage_users")
    token = sign_in(server.port, name)
    *held, me, exchanged = hold_all(server, token, f"{name}x")
    time.sleep(0.2)
    elsewhere(server, lambda tx: users.revoke(tx, BY, name, "manage_users"))
    time.sleep(1)
    assert [each.finish() for each in held] == [(403, "role_missing")] * len(held)
    assert (me.finish()[0], exchanged.finish()[0]) == (200, 200)


@pytest.mark.parametrize("path", ["/auth/me", "/api/v1/users", "/admin"])
def test_who_is_refused_is_not_waited_for(server: Server, path: str) -> None:
    """The answer comes before the body does, whatever is wrong with the credential."""
    heads = [f"GET {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n"]
    heads += [f"{heads[0]}Authorization: Bearer no\r\n"]
    if path != "/auth/me":
        heads += [f"{heads[0]}Authorization: Bearer {sign_in(server.port, 'user')}\r\n"]
    for head in heads:
        with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
            connection.sendall(f"{head}\r\n".encode())
            assert connection.recv(65536).startswith(b"HTTP/1.1 40")
