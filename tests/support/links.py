"""Links that set passwords, as managers make them and as people open them."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from tests.support.client import BROWSER, Answer, ask, bearer, sign_in
from tests.support.servers import Server

_FORM = {**BROWSER, "Content-Type": "application/x-www-form-urlencoded"}
_JSON = {"Content-Type": "application/json"}
PASSWORD = "nine grey herons by the weir"


def call(
    server: Server, path: str, method: str = "GET", body: object = None, token: str = ""
) -> Answer:
    """Ask the API, as the manager `admin` or with another token."""
    headers = {**bearer(token or sign_in(server.port)), **(_JSON if body is not None else {})}
    data = None if body is None else json.dumps(body).encode()
    return ask(server.port, path, method, headers=headers, body=data)


def user_id(server: Server, username: str) -> int:
    """Return the ID of a user."""
    (user,) = [
        each
        for each in call(server, f"/api/v1/users?q={username}").json
        if each["username"] == username
    ]
    return int(user["id"])


def new_user(server: Server, username: str, *roles: str) -> int:
    """Create a user without credentials, and return the ID."""
    body = {"username": username, "roles": list(roles)}
    answer = call(server, "/api/v1/users", "POST", body)
    assert answer.status == 201, answer.text
    return int(answer.json["id"])


def link(server: Server, of_user: int, purpose: str = "invite") -> str:
    """Make a link for a user, and return its path."""
    answer = call(server, f"/api/v1/users/{of_user}/links", "POST", {"purpose": purpose})
    assert answer.status == 201, answer.text
    return path_of(answer.json)


def invitation(server: Server, **members: Any) -> tuple[str, dict[str, Any]]:
    """Make an open invitation, and return its path and its members."""
    answer = call(server, "/api/v1/invitations", "POST", members)
    assert answer.status == 201, answer.text
    return path_of(answer.json), answer.json


def path_of(members: Mapping[str, Any]) -> str:
    """Return the path of a link."""
    return "/" + str(members["url"]).split("/", 3)[3]


def use(
    server: Server, path: str, headers: Mapping[str, str] | None = None, **members: Any
) -> Answer:
    """Use a link, as a program."""
    body = json.dumps({"password": PASSWORD, **members}).encode()
    return ask(server.port, path, "POST", headers={**_JSON, **(headers or {})}, body=body)


def use_form(server: Server, path: str, **fields: str) -> Answer:
    """Use a link, as a browser."""
    body = urlencode({"password": PASSWORD, **fields}).encode()
    return ask(server.port, path, "POST", headers=_FORM, body=body)
