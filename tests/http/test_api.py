"""The REST API over HTTP: what it does, and whom it refuses."""

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.api import ROLES, USERS, Api
from tests.support.client import ask, bearer, cookie, sign_in
from tests.support.servers import Start

SHOWN = ["id", "username", "name", "email", "disabled", "roles", "created_at", "updated_at"]


@pytest.fixture(scope="module")
def api(start: Start) -> Api:
    """Return a server of this file's own."""
    return Api(start())


@pytest.fixture
def ada(api: Api) -> Iterator[dict[str, Any]]:
    """Yield a user who is gone afterwards."""
    user = api.create("ada", name="Ada Lovelace", email="ada@example.org", roles=["add_documents"])
    yield user
    api(f"{USERS}/{user['id']}", "DELETE")


# --- What it does.


def test_the_versions_are_told_to_everybody(api: Api) -> None:
    for headers in ({}, bearer(sign_in(api.server.port, "user")), {"Cookie": "jwt=bad"}):
        answer = ask(api.server.port, "/api/", headers=headers)
        assert answer.json == [{"version": "1.0", "url": "/api/v1/"}]


def test_a_user_is_created_read_changed_and_deleted(api: Api) -> None:
    made = api(USERS, "POST", {"username": "Grace", "roles": ["add_documents"]})
    assert made.status == 201
    user = made.json
    assert list(user) == SHOWN
    where = f"{USERS}/{user['id']}"
    assert made["Location"] == where
    assert made["ETag"] == '"1"'
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", user["created_at"])
    assert (user["username"], user["name"], user["email"], user["disabled"]) == (
        "grace",
        None,
        None,
        False,
    )
    assert [role["role"] for role in user["roles"]] == ["add_documents"]

    read = api(where)
    assert (read.json, read["ETag"]) == (user, '"1"')
    assert api(where, If_None_Match='"1"').status == 304

    patched = api(where, "PATCH", {"name": "Grace Hopper", "email": "grace@example.org"})
    assert (patched.status, patched["ETag"]) == (200, '"2"')
    assert patched.json["name"] == "Grace Hopper"
    assert patched.json["roles"] == user["roles"]

    merged = api(where, "PATCH", b'{"name": null}', Content_Type="application/merge-patch+json")
    assert (merged.json["name"], merged.json["email"]) == (None, "grace@example.org")

    facts = {name: merged.json[name] for name in ("name", "email", "disabled", "roles")}
    put = api(where, "PUT", {**facts, "username": "hopper"})
    assert (put.json["username"], put.json["roles"]) == ("hopper", user["roles"])
    bare = api(where, "PUT", {"username": "hopper"}).json
    assert (bare["email"], bare["roles"]) == (None, [])

    assert api(where, "DELETE").status == 204
    assert api(where).code == "user_not_found"
    assert api(where, "DELETE").code == "user_not_found"


def test_what_changes_nothing_is_no_change(api: Api, ada: dict[str, Any]) -> None:
    same = api(f"{USERS}/{ada['id']}", "PATCH", {"username": "ADA", "roles": ada["roles"]})
    assert (same.status, same["ETag"], same.json) == (200, '"1"', ada)
    assert api(f"{USERS}/{ada['id']}", "PATCH", {}).json == ada


def test_a_role_is_created_given_and_deleted(api: Api, ada: dict[str, Any]) -> None:
    made = api(ROLES, "POST", {"role": "team:editors"})
    assert (made.status, made.json["role"], made.json["users"]) == (201, "team:editors", 0)
    assert made["Location"] == f"{ROLES}/{made.json['id']}"
    assert api(ROLES, "POST", {"role": "team:editors"}).code == "role_taken"
    where = f"{USERS}/{ada['id']}"
    given = api(where, "PATCH", {"roles": ["team:editors"]}).json
    assert given["roles"] == [{"id": made.json["id"], "role": "team:editors"}]
    assert {row["role"]: row["users"] for row in api(ROLES).json}["team:editors"] == 1
    assert api(made["Location"], "DELETE").status == 204
    assert api(where).json["roles"] == []
    assert api(made["Location"], "DELETE").code == "role_not_found"


def test_what_is_changed_counts_at_once(api: Api, ada: dict[str, Any]) -> None:
    port, where = api.server.port, f"{USERS}/{ada['id']}"
    token = sign_in(port, "ada")
    api(where, "PATCH", {"roles": ["manage_documents"], "username": "countess"})
    me = ask(port, "/auth/me", headers=bearer(token)).json
    assert (me["username"], [role["role"] for role in me["roles"]]) == (
        "countess",
        ["manage_documents"],
    )
    assert api(f"{where}/sign-out", "POST").status == 204
    assert ask(port, "/auth/me", headers=bearer(token)).code == "token_revoked"

    token = sign_in(port, "countess")
    api(where, "PATCH", {"disabled": True})
    assert ask(port, "/auth/me", headers=bearer(token)).code == "token_revoked"
    assert ask(port, "/auth/bypass?token=countess").code == "user_unknown"
    api(where, "PATCH", {"disabled": False})
    token = sign_in(port, "countess")
    api(where, "DELETE")
    assert ask(port, "/auth/me", headers=bearer(token)).code == "token_revoked"


def test_the_cookie_serves_as_the_token_does_but_not_from_another_site(
    api: Api, ada: dict[str, Any]
) -> None:
    port, where = api.server.port, f"{USERS}/{ada['id']}"
    jar = cookie(sign_in(port))
    assert ask(port, where, headers=jar).json == ada
    refused = ask(port, where, "DELETE", headers={**jar, "Sec-Fetch-Site": "cross-site"})
    assert refused.code == "cross_site_request"
    assert (
        ask(port, where, "DELETE", headers={**jar, "Sec-Fetch-Site": "same-origin"}).status == 204
    )


def test_pages_follow_each_other_until_all_were_seen(api: Api) -> None:
    made = [api.create(f"page-{number:02}", name=f"N {number % 3}")["id"] for number in range(7)]
    try:
        for sort in ("username", "-username", "name", "-name", "id", "-id", "-updated_at"):
            seen: list[int] = []
            path = f"{USERS}?q=page-&limit=3&sort={sort}"
            while path:
                answer = api(path)
                assert answer.status == 200, answer.text
                seen += [user["id"] for user in answer.json]
                link = answer.all("Link")
                path = link[0].partition(">")[0][1:] if link else ""
                assert not link or link[0].endswith('>; rel="next"')
            assert sorted(seen) == made, sort
            if sort in {"username", "id"}:
                assert seen == made
    finally:
        for user_id in made:
            api(f"{USERS}/{user_id}", "DELETE")


@pytest.mark.usefixtures("ada")
def test_lists_are_filtered(api: Api) -> None:
    def found(query: str) -> list[str]:
        return [user["username"] for user in api(f"{USERS}?{query}").json]

    assert found("q=LOVE") == found("q=example.org") == found("q=ad%61") == ["ada"]
    assert found("q=a") == ["ada", "admin"]
    assert found("q=%22%20OR%20%22") == found("q=ada*") == found("q=%25%25%25") == []
    assert found("role=add_documents") == ["ada", "contributor"]
    assert found("role=add_documents&q=ada&disabled=false") == ["ada"]
    assert found("disabled=true") == found("role=no-such-role") == []
    assert len(found("disabled=false")) == 5


def test_each_entry_of_the_audit_has_one_line_in_the_log(api: Api) -> None:
    role = api(ROLES, "POST", {"role": "logged"}).json
    user = api.create("logged-user", roles=["logged"])
    where, account = f"{USERS}/{user['id']}", {"provider": "cas", "subject": "Logged"}
    for _ in range(2):  # the second time is no change
        assert api(where, "PATCH", {"name": "Seen", "username": "renamed"}).status == 200
        assert api(f"{where}/identities", "POST", account).status in {200, 201}
    api(f"{where}/sign-out", "POST")
    api(f"{where}/identities?provider=cas&subject=Logged", "DELETE")
    api(f"{ROLES}/{role['id']}", "DELETE")
    last = api(where, "DELETE")
    log = api.server.log(until=f"by=admin client=127.0.0.1 id={last['X-Request-ID']}")
    entries = api("/api/v1/audit?limit=8").json
    lines = [
        re.search(rf"info +(\S+) (.*) client=127.0.0.1 id={entry['request_id']}\n", log)
        for entry in reversed(entries)
    ]
    assert [line.groups() for line in lines if line] == [
        ("role_create", "role=logged by=admin"),
        ("user_create", "user=logged-user by=admin"),
        ("user_update", "user=logged-user by=admin"),
        ("identity_link", "user=renamed by=admin provider=cas"),
        ("user_sign_out", "user=renamed by=admin"),
        ("identity_unlink", "user=renamed by=admin provider=cas"),
        ("role_delete", "role=logged by=admin"),
        ("user_delete", "user=renamed by=admin"),
    ]
    assert [log.count(f" {name} ") for name in ("user_update", "identity_link")] == [
        len(api(f"/api/v1/audit?limit=200&action={name}").json)
        for name in ("user_update", "identity_link")
    ]


def test_the_audit_says_who_did_what_to_whom_from_where(api: Api) -> None:
    user = api.create("audited")
    where = f"{USERS}/{user['id']}"
    api(where, "PATCH", {"name": "Seen", "roles": ["add_documents"]})
    gone = api(where, "DELETE")
    entries = api(f"/api/v1/audit?user={user['id']}").json
    assert [entry["action"] for entry in entries] == ["user_delete", "user_update", "user_create"]
    for entry in entries:
        assert entry["actor"] == {"id": 1, "name": "admin"}
        assert entry["target"] == {"id": user["id"], "name": "audited"}
        assert entry["client"] == "127.0.0.1"
    assert entries[0]["request_id"] == gone["X-Request-ID"]
    assert entries[1]["detail"] == {"name": "Seen", "granted": ["add_documents"]}
    first = api("/api/v1/audit?limit=1&action=user_delete")
    assert len(first.json) == 1
    assert api(f"/api/v1/audit?user={user['id']}&action=role_create").json == []
    newest = api("/api/v1/audit?limit=1")
    following = api(newest["Link"].partition(">")[0][1:])
    assert following.json[0]["id"] < newest.json[0]["id"]


# --- Whom it refuses.

ONE = f"{USERS}/{{id}}"
GATED = [
    ("GET", USERS, None),
    ("POST", USERS, {"username": "mallory"}),
    ("GET", ONE, None),
    ("PUT", ONE, {"username": "mallory"}),
    ("PATCH", ONE, {"name": "Mallory"}),
    ("POST", f"{ONE}/sign-out", None),
    ("DELETE", ONE, None),
    ("GET", ROLES, None),
    ("POST", ROLES, {"role": "mallory"}),
    ("GET", "/api/v1/audit", None),
]


@pytest.mark.parametrize(("method", "path", "body"), GATED, ids=lambda value: str(value)[:30])
def test_only_who_manages_users_gets_in(
    api: Api, ada: dict[str, Any], method: str, path: str, body: object
) -> None:
    where = path.replace("{id}", str(ada["id"]))
    before = api.everything()
    port = api.server.port
    assert ask(port, where, method, body=json.dumps(body).encode()).code == "credentials_missing"
    for name in ("user", "manager", "ada"):
        answer = api(where, method, body, token=sign_in(port, name))
        assert (answer.status, answer.code) == (403, "role_missing")
    assert api.everything() == before
    made = api(where, method, body)
    assert made.status in {200, 201, 204}
    if "Location" in dict(made.headers):
        assert api(made["Location"], "DELETE").status == 204


def test_a_stale_entity_tag_loses(api: Api, ada: dict[str, Any]) -> None:
    where = f"{USERS}/{ada['id']}"
    first = api(where, "PATCH", {"name": "One"}, If_Match='"1"')
    assert (first.status, first["ETag"]) == (200, '"2"')
    for method, body in (("PATCH", {"name": "Two"}), ("PUT", {"username": "x"}), ("DELETE", None)):
        for stale in ('"1"', '"7", "8"', 'W/"2"', "2", "garbage", '""'):
            answer = api(where, method, body, If_Match=stale)
            assert (answer.status, answer.code) == (412, "precondition_failed"), stale
    assert api(where).json["name"] == "One"
    assert api(where, "PATCH", {"name": "Two"}, If_Match='"9", "2"').status == 200
    assert api(where, "PATCH", {"name": "Three"}, If_Match="*").status == 200


def test_fifty_at_once_leave_one_manager(api: Api) -> None:
    other = api.create("second", roles=["manage_users"])
    tokens = [sign_in(api.server.port), sign_in(api.server.port, "second")]

    def demote(number: int) -> int:
        target = (1, other["id"])[number % 2]
        by = tokens[number // 2 % 2]
        return api(f"{USERS}/{target}", "PATCH", {"roles": []}, token=by).status

    try:
        with ThreadPoolExecutor(50) as pool:
            statuses = list(pool.map(demote, range(50)))
        assert 200 in statuses
        assert set(statuses) <= {200, 403, 409}
        found = json.loads(api.server.cli("user", "list", "--json").stdout)
        managers = [
            user["username"]
            for user in found
            if "manage_users" in str(user["roles"]) and not user["disabled"]
        ]
        assert len(managers) == 1
    finally:
        for role in ("manage_users", "manage_documents", "manage_communities"):
            api.server.cli("role", "grant", "admin", role)
        api.server.cli("user", "delete", "second", "--yes")
        api.token = sign_in(api.server.port)


def test_the_last_manager_stays(api: Api) -> None:
    before = api.everything()
    role = next(row["id"] for row in api(ROLES).json if row["role"] == "manage_users")
    attempts = [
        api(f"{USERS}/1", "DELETE"),
        api(f"{USERS}/1", "PATCH", {"disabled": True}),
        api(f"{USERS}/1", "PATCH", {"roles": []}),
        api(f"{USERS}/1", "PUT", {"username": "admin"}),
        api(f"{ROLES}/{role}", "DELETE"),
    ]
    assert [(answer.status, answer.code) for answer in attempts] == [(409, "last_manager")] * 5
    assert api.everything() == before
    assert api.server.cli("user", "disable", "admin").returncode == 1


def test_fifty_of_one_name_make_one_user(api: Api) -> None:
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: api(USERS, "POST", {"username": "Same"}), range(50)))
    assert sorted(answer.status for answer in answers) == [201] + [409] * 49
    assert {answer.code for answer in answers if answer.status == 409} == {"username_taken"}
    (made,) = (answer for answer in answers if answer.status == 201)
    assert api(made["Location"], "DELETE").status == 204
