"""People with passwords, and what a browser or a program sends to sign in."""

import base64
import json
from collections.abc import Iterator, Mapping
from unittest import mock
from urllib.parse import urlencode

import argon2
import pytest

from service import db
from service.credentials import hashing
from tests.support import handmade_tokens
from tests.support.client import BROWSER, Answer, ask
from tests.support.servers import Server

RIGHT = "Tuesday rain on 14 roofs"
PATH = "/auth/password"
_FORM = {**BROWSER, "Content-Type": "application/x-www-form-urlencoded"}
_JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module", autouse=True)
def quick_hashes() -> Iterator[None]:
    """Hash with little memory in this process: the parameters are tested with the hashes."""
    quick = argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    dummy = quick.hash("a password that nobody has")
    with mock.patch.multiple(hashing, _HASHER=quick, _DUMMY=dummy):
        yield


def give_password(server: Server, username: str, password: str = RIGHT) -> None:
    """Set a password, as an administrator does."""
    done = server.cli("user", "password", username, "--stdin", stdin=password)
    assert done.returncode == 0, done.stderr


def by_json(port: int, body: object, headers: Mapping[str, str] | None = None) -> Answer:
    """Sign in as a program."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return ask(port, PATH, "POST", headers={**_JSON, **(headers or {})}, body=data)


def by_form(port: int, headers: Mapping[str, str] | None = None, **fields: str) -> Answer:
    """Sign in as a browser."""
    body = urlencode(fields).encode()
    return ask(port, PATH, "POST", headers={**_FORM, **(headers or {})}, body=body)


def attempt(port: int, username: str, password: str = "wrong", **headers: str) -> Answer:  # noqa: S107
    """Try a password."""
    return by_json(port, {"username": username, "password": password}, headers)


def set_cookie(answer: Answer, name: str) -> str:
    """Return the `Set-Cookie` value of one cookie of an answer."""
    (value,) = [value for value in answer.all("Set-Cookie") if value.startswith(f"{name}=")]
    return value


def device(answer: Answer) -> dict[str, str]:
    """Return the headers of a browser that has kept the device's cookie."""
    return {"Cookie": set_cookie(answer, "latchkey_device").partition(";")[0]}


def session_token(answer: Answer) -> str:
    """Return the JWT of a sign-in."""
    return set_cookie(answer, "jwt").removeprefix("jwt=").partition(";")[0]


def aged(token: str, seconds: int = 601) -> str:
    """Return a token whose sign-in was so long ago, signed as the server signs."""
    head, payload, _ = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    claims["auth_time"] -= seconds
    claims["iat"] -= seconds
    claims["exp"] -= seconds
    return handmade_tokens.token(base64.urlsafe_b64decode(head + "=="), json.dumps(claims).encode())


def stretch_delays(server: Server) -> None:
    """Make delays ten minutes longer, so that they do not end during a test."""
    with db.writing_blocking(server.database) as connection:
        connection.execute(
            "UPDATE attempt_limits SET blocked_until = blocked_until + 600 WHERE blocked_until > 0"
        )
