"""Who gets in where, by the served description: nobody, people without the role, a manager."""

import json
from itertools import count
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.support.client import Answer, ask, bearer, cookie, sign_in
from tests.support.description import Operation, operations
from tests.support.servers import Server, Start
from tests.support.stores import run_sql

WITHOUT_ROLE = {
    ("GET", "/auth/me"),
    ("GET", "/auth/token"),
    ("GET", "/auth/verify"),
    ("GET", "/oauth2/auth"),
    ("GET", "/api/"),
    ("GET", "/account"),
}
"""What whoever is signed in may ask; all else that is not open is for `manage_users`."""

BODIES: dict[Operation, Any] = {
    ("POST", "/api/v1/users"): {"username": "made", "roles": ["view_documents"]},
    ("PUT", "/api/v1/users/{id}"): {"username": "replaced"},
    ("PATCH", "/api/v1/users/{id}"): {"name": "Patched"},
    ("POST", "/api/v1/roles"): {"role": "made"},
    ("POST", "/api/v1/users/{id}/identities"): {"provider": "cas", "subject": "made"},
}
TABLES = (
    *("users", "roles", "user_roles", "identities", "provider_sessions"),
    *("audit", "changes", "token_lifetimes"),
)
numbers = count(1)


@pytest.fixture(scope="module")
def guarded(start: Start) -> Server:
    """Return a server of this file's own."""
    return start()


@pytest.fixture(scope="module")
def closed(guarded: Server) -> dict[Operation, dict[str, Any]]:
    """Return what needs a credential, by the description: what does not say that it is open."""
    document = ask(guarded.port, "/openapi.json").json
    assert document["security"] == [{"cookie": []}, {"bearer": []}]
    found = {
        operation: described
        for operation, described in operations(document).items()
        if "security" not in described
    }
    assert {("GET", "/api/v1/users"), ("DELETE", "/api/v1/roles/{id}")} < found.keys()
    return found


def rows(server: Server) -> list[list[tuple[Any, ...]]]:
    """Return everything that the database knows of users."""
    return [run_sql(server.database, f"SELECT * FROM {table} ORDER BY 1, 2") for table in TABLES]  # noqa: S608


def send(server: Server, operation: Operation, where: str, headers: dict[str, str]) -> Answer:
    """Do one operation as a program would."""
    body = BODIES.get(operation)
    kind = {"Content-Type": "application/json"} if body else {}
    data = json.dumps(body).encode() if body else None
    return ask(server.port, where, operation[0], headers={**headers, **kind}, body=data)


def target(server: Server, operation: Operation) -> str:
    """Return the address with a user, role or identity in it that has just been made for it."""
    method, path = operation
    manager = {**bearer(sign_in(server.port)), "Content-Type": "application/json"}
    name = f"target-{next(numbers)}"
    kind, body = ("roles", {"role": name}) if "/roles/" in path else ("users", {"username": name})
    if "{id}" not in path:
        return path
    data = json.dumps(body).encode()
    made = ask(server.port, f"/api/v1/{kind}", "POST", headers=manager, body=data)
    assert made.status == 201, made.text
    where = path.replace("{id}", str(made.json["id"]))
    if method == "DELETE" and path.endswith("/identities"):
        account = {"provider": "cas", "subject": name}
        data = json.dumps(account).encode()
        assert ask(server.port, where, "POST", headers=manager, body=data).status == 201
        return f"{where}?{urlencode(account)}"
    return where


def test_nobody_gets_in(guarded: Server, closed: dict[Operation, dict[str, Any]]) -> None:
    for operation in closed:
        where = target(guarded, operation)
        before = rows(guarded)
        for headers in (
            {},
            bearer("not.a.token"),
            cookie("not.a.token"),
            {"Authorization": "Basic eA=="},
        ):
            answer = send(guarded, operation, where, headers)
            assert (answer.status, answer["WWW-Authenticate"][:6]) == (401, "Bearer"), operation
        assert rows(guarded) == before, operation


def test_without_the_role_nobody_gets_in_and_nothing_changes(
    guarded: Server, closed: dict[Operation, dict[str, Any]]
) -> None:
    for operation in closed.keys() - WITHOUT_ROLE:
        where = target(guarded, operation)
        for username in ("user", "manager", "contributor"):
            token = sign_in(guarded.port, username)
            before = rows(guarded)
            same_site = {**cookie(token), "Sec-Fetch-Site": "same-origin"}
            for headers in (bearer(token), same_site):
                answer = send(guarded, operation, where, headers)
                assert (answer.status, answer.code) == (403, "role_missing"), operation
            assert rows(guarded) == before, operation


def test_with_the_role_it_works(guarded: Server, closed: dict[Operation, dict[str, Any]]) -> None:
    for operation in sorted(closed):
        described = closed[operation]
        if operation[1].startswith("/api/"):
            assert ("requestBody" in described) == (operation in BODIES), operation
            token = sign_in(guarded.port)
            answer = send(guarded, operation, target(guarded, operation), bearer(token))
            good = {int(status) for status in described["responses"] if status.startswith("2")}
            # Where there are two: 201 for what was made, 200 for what was there already.
            assert answer.status == max(good), (operation, answer.text)


def test_whoever_is_signed_in_gets_in_where_no_role_is_needed(
    guarded: Server, closed: dict[Operation, dict[str, Any]]
) -> None:
    for operation in closed.keys() & WITHOUT_ROLE:
        token = sign_in(guarded.port, "user")
        for headers in (bearer(token), cookie(token)):
            assert send(guarded, operation, operation[1], headers).status == 200, operation
