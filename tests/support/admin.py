"""The admin pages, as the browser of a manager uses them."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.support import pages
from tests.support.client import BROWSER, Answer, ask, cookie, sign_in
from tests.support.description import operations
from tests.support.pages import Page
from tests.support.servers import Server, Start

USERS, ROLES, AUDIT = "/admin", "/admin/roles", "/admin/audit"
FORM = "application/x-www-form-urlencoded"
EVIL = ["<script>alert(1)</script>", '" onmouseover="alert(1)', "'><img src=x onerror=alert(1)>"]

Fields = dict[str, Any] | list[tuple[str, str]] | bytes


class Admin:
    """A server, and the browser of a manager."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.jar = cookie(sign_in(server.port))

    def __call__(self, path: str, fields: Fields | None = None, **headers: str) -> Answer:
        """Open a page, or send a form; headers' names have `_` for `-`."""
        sent = {**BROWSER, **self.jar, "Sec-Fetch-Site": "same-origin"}
        body = None
        if fields is not None:
            body = fields if isinstance(fields, bytes) else urlencode(fields, doseq=True).encode()
            sent["Content-Type"] = FORM
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        method = "GET" if fields is None else "POST"
        return ask(self.server.port, path, method, headers=sent, body=body)

    def page(self, path: str, status: int = 200) -> Page:
        """Open a page, and read it."""
        answer = self(path)
        assert answer.status == status, answer.text
        return pages.read(answer.text)

    def follow(self, path: str, fields: Fields) -> Page:
        """Send a form that has to succeed, and read the page that it leads to."""
        answer = self(path, fields)
        assert answer.status == 303, answer.text
        return self.page(answer["Location"])

    def again(self, path: str, fields: Fields, status: int) -> Page:
        """Send a form that has to fail, and read what it shows."""
        answer = self(path, fields)
        assert answer.status == status, answer.text
        return pages.read(answer.text)

    def api(self, path: str, method: str = "GET", body: object = None) -> Answer:
        """Ask the API, as the same manager."""
        return ask(
            self.server.port,
            path,
            method,
            headers={
                **self.jar,
                "Sec-Fetch-Site": "same-origin",
                "Content-Type": "application/json",
            },
            body=None if body is None else json.dumps(body).encode(),
        )

    def create(self, username: str, **facts: object) -> int:
        """Create a user by the API; return the id."""
        made = self.api("/api/v1/users", "POST", {"username": username, **facts})
        assert made.status == 201, made.text
        return int(made.json["id"])

    def user(self, user_id: int) -> dict[str, Any]:
        """Return a user, as the API has it, roles by name."""
        found = self.api(f"/api/v1/users/{user_id}").json
        return {**found, "roles": [role["role"] for role in found["roles"]]}

    def everything(self) -> list[object]:
        """Return all that can be changed, and what was recorded last."""
        paths = ("/api/v1/users?limit=200", "/api/v1/roles", "/api/v1/audit?limit=1")
        return [self.api(path).json for path in paths]


@pytest.fixture(scope="module")
def admin(start: Start) -> Admin:
    """Return a server of this file's own."""
    return Admin(start())


@pytest.fixture
def ada(admin: Admin) -> Iterator[int]:
    """Yield the id of a user who is gone afterwards."""
    user_id = admin.create("ada", name="Ada", email="ada@example.org", roles=["add_documents"])
    yield user_id
    admin.api(f"/api/v1/users/{user_id}", "DELETE")


def admin_operations(admin: Admin) -> list[tuple[str, str]]:
    """Return method and path of every operation of the admin page."""
    described = operations(admin.api("/openapi.json").json)
    return [key for key in described if key[1].startswith("/admin")]
