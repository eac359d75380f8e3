"""What a browser sends to register passkeys and to sign in by them."""

import json
from collections.abc import Mapping
from typing import Any

from tests.support.authenticator import Authenticator
from tests.support.client import Answer, ask, cookie, sign_in
from tests.support.passwords import set_cookie
from tests.support.servers import Server

OWN = "/auth/account/passkeys"
_JSON = {"Content-Type": "application/json"}


def send(
    server: Server,
    path: str,
    body: object = None,
    *,
    method: str = "POST",
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Send JSON."""
    encoded = None if body is None else json.dumps(body).encode()
    return ask(server.port, path, method, headers={**_JSON, **(headers or {})}, body=encoded)


def as_user(server: Server, username: str) -> dict[str, str]:
    """Return the headers of a browser in which somebody has just signed in."""
    return cookie(sign_in(server.port, username))


def creation_options(server: Server, headers: Mapping[str, str]) -> dict[str, Any]:
    """Return the options of a new passkey."""
    answer = send(server, f"{OWN}/options", headers=headers)
    assert answer.status == 200, answer.text
    options: dict[str, Any] = answer.json
    return options


def request_options(server: Server) -> dict[str, Any]:
    """Return the options of a sign-in."""
    answer = send(server, "/auth/passkey/options")
    assert answer.status == 200, answer.text
    options: dict[str, Any] = answer.json
    return options


def register(
    server: Server, headers: Mapping[str, str], key: Authenticator, **members: Any
) -> Answer:
    """Register a passkey."""
    credential = key.create(creation_options(server, headers))
    return send(server, OWN, {"credential": credential, **members}, headers=headers)


def registered(server: Server, username: str, **facts: Any) -> Authenticator:
    """Return a passkey that somebody has registered."""
    key = Authenticator(server.url, **facts)
    answer = register(server, as_user(server, username), key)
    assert answer.status == 201, answer.text
    return key


def by_passkey(server: Server, key: Authenticator, **members: Any) -> Answer:
    """Sign in by a passkey."""
    body = {"credential": key.get(request_options(server)), **members}
    return send(server, "/auth/passkey", body)


def session_of(answer: Answer) -> dict[str, str]:
    """Return the headers of the browser that has signed in."""
    assert answer.status == 200, answer.text
    return {"Cookie": set_cookie(answer, "jwt").partition(";")[0]}
