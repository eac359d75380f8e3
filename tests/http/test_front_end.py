"""A front end on another origin: it signs in, exchanges, lists, changes, saves, signs out."""

import json
import re
from typing import Any

import pytest

from tests.support.client import BROWSER, Answer, ask, bearer, cookie
from tests.support.servers import Server, Start

STORES = ("sqlite",)  # no store has a part in this

APP = "http://localhost:5173"
FETCH = {"Origin": APP, "Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"}
NAVIGATION = {**BROWSER, "Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "navigate"}


@pytest.fixture(scope="module")
def latchkey(start: Start) -> Server:
    """Return a server that lists the origin of the front end."""
    return start(CORS_ORIGINS=APP, ALLOWED_REDIRECTS=APP)


class FrontEnd:
    """What a script of the front end sends: JSON, with the cookie or a bearer token."""

    def __init__(self, server: Server, credential: dict[str, str]) -> None:
        self.server, self.credential = server, credential

    def __call__(self, path: str, method: str = "GET", body: Any = None, **headers: str) -> Answer:
        """Send a request that the browser lets the script read."""
        sent = {**FETCH, **self.credential}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        data = None
        if body is not None:
            sent["Content-Type"] = "application/json"
            data = json.dumps(body).encode()
        answer = ask(self.server.port, path, method, headers=sent, body=data)
        assert answer["Access-Control-Allow-Origin"] == APP
        return answer


def sign_in(server: Server) -> str:
    """Sign in by navigation; return the token of the cookie."""
    path = f"/auth/bypass?token=admin&next={APP}/users"
    answer = ask(server.port, path, headers={**NAVIGATION, "Sec-Fetch-Dest": "document"})
    assert (answer.status, answer["Location"]) == (302, f"{APP}/users")
    return answer.token


@pytest.mark.parametrize("way", ["cookie", "bearer"])
@pytest.mark.parametrize("has_tag", [True, False], ids=["If-Match", "last wins"])
def test_a_front_end_works_without_special_cases(
    latchkey: Server, way: str, *, has_tag: bool
) -> None:
    token = sign_in(latchkey)
    with_cookie = FrontEnd(latchkey, cookie(token))
    exchanged = with_cookie("/auth/token").json["token"]
    app = with_cookie if way == "cookie" else FrontEnd(latchkey, bearer(exchanged))
    assert app("/auth/me").json["username"] == "admin"

    def tag(answer: Answer) -> dict[str, str]:
        return {"If_Match": answer["ETag"]} if has_tag else {}

    role = app("/api/v1/roles", "POST", {"role": "editor"}).json
    made = app("/api/v1/users", "POST", {"username": "grace", "roles": [role]})
    assert (made.status, made.json["roles"][0]["role"]) == (201, "editor")

    # Every row of the list, and every user that was read, can be saved as it is.
    rows: list[dict[str, Any]] = []
    path = "/api/v1/users?limit=2"
    while path:
        page = app(path)
        rows += page.json
        path = "".join(re.findall(r"^<([^>]+)>; rel=\"next\"$", "".join(page.all("Link"))))
    assert {"admin", "grace", "user"} <= {row["username"] for row in rows}
    for row in rows:
        read = app(f"/api/v1/users/{row['id']}")
        assert read.json == row
        saved = app(f"/api/v1/users/{row['id']}", "PUT", row, **tag(read))
        assert (saved.status, saved.json, saved["ETag"]) == (200, row, read["ETag"])

    # Change, save, and go on with the answer.
    where = made["Location"]
    answer = app(where)
    for name, value in (("name", "Grace"), ("email", "grace@corp.local"), ("disabled", True)):
        for method in ("PUT", "PATCH"):
            user = {**answer.json, name: value}
            answer = app(where, method, user, **tag(answer))
            assert (answer.status, answer.json[name]) == (200, value), answer.text
    others = [each for each in app("/api/v1/roles").json if each["role"] == "view_documents"]
    user = {**answer.json, "roles": answer.json["roles"] + others}
    answer = app(where, "PUT", user, **tag(answer))
    assert {each["role"] for each in answer.json["roles"]} == {"editor", "view_documents"}
    answer = app(where, "PATCH", {"roles": others}, **tag(answer))
    assert [each["role"] for each in answer.json["roles"]] == ["view_documents"]

    assert app(where, "DELETE", **tag(answer)).status == 204
    assert app(f"/api/v1/roles/{role['id']}", "DELETE").status == 204

    # Sign out by navigation: the cookie and the exchanged token end.
    sent = {**NAVIGATION, "Sec-Fetch-Dest": "document", **cookie(token)}
    out = ask(latchkey.port, f"/auth/logout?next={APP}/", headers=sent)
    assert (out.status, out["Location"]) == (302, f"{APP}/")
    for each in (cookie(token), bearer(exchanged)):
        assert FrontEnd(latchkey, each)("/auth/me").code == "token_revoked"
