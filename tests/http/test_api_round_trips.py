"""What the API shows can be sent back: users, roles and identities, each as it was read."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.api import ROLES, USERS, Api
from tests.support.client import Answer
from tests.support.servers import Start

OTHER = {
    "id": [0, -1, 10**6, 1.5, "1", True, [1], {}],
    "created_at": ["2000-01-01T00:00:00Z", "now", "", 0, False, []],
    "updated_at": ["2000-01-01T00:00:00Z", "2999-01-01T00:00:00Z", "", 0, {}],
}


@pytest.fixture(scope="module")
def api(start: Start) -> Api:
    """Return a server of this file's own."""
    return Api(start())


@pytest.fixture
def ada(api: Api) -> Iterator[dict[str, Any]]:
    """Yield a user who is gone afterwards."""
    roles = ["add_documents", "view_documents"]
    user = api.create("ada", name="Ada Lovelace", email="ada@corp.local", roles=roles)
    yield user
    api(f"{USERS}/{user['id']}", "DELETE")


def faults(answer: Answer) -> dict[str, str]:
    """Return the message for each attribute."""
    assert answer.code == "validation_error", answer.text
    return {error["attribute"]: error["message"] for error in answer.json["errors"]}


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_what_get_returned_can_be_sent_back(api: Api, ada: dict[str, Any], method: str) -> None:
    where = f"{USERS}/{ada['id']}"
    read = api(where)
    for body in (read.body, json.dumps(read.json).encode()):
        for headers in ({}, {"If_Match": read["ETag"]}):
            same = api(where, method, body, Content_Type="application/json", **headers)
            assert (same.status, same.json, same["ETag"]) == (200, ada, '"1"')
    (row,) = [user for user in api(f"{USERS}?limit=200").json if user["id"] == ada["id"]]
    assert api(where, method, row).json == ada


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_what_was_read_is_changed_and_saved(api: Api, ada: dict[str, Any], method: str) -> None:
    where = f"{USERS}/{ada['id']}"
    user = api(where).json
    user["name"] = "Ada King"
    user["roles"] = [role for role in user["roles"] if role["role"] != "add_documents"]
    user["roles"] += [role for role in api(ROLES).json if role["role"] == "manage_documents"]
    user["roles"].append("view_communities")
    saved = api(where, method, user)
    assert saved.status == 200, saved.text
    assert saved.json["name"] == "Ada King"
    assert sorted(role["role"] for role in saved.json["roles"]) == [
        *("manage_documents", "view_communities", "view_documents"),
    ]
    assert api(where, method, saved.json).json == saved.json == api(where).json
    saved.json["disabled"] = True
    assert api(where, method, {**saved.json, "disabled": True}).json["disabled"] is True


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in OTHER.items() for value in values]
)
def test_a_read_only_member_that_was_changed_is_refused(
    api: Api, ada: dict[str, Any], method: str, name: str, value: object
) -> None:
    where = f"{USERS}/{ada['id']}"
    answer = api(where, method, {**ada, "name": "Changed", name: value})
    assert faults(answer).keys() == {name}
    assert faults(answer)[name].startswith("is read-only")
    assert str(ada[name]) in faults(answer)[name]
    assert api(where).json == ada


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
@pytest.mark.parametrize("form", ["{}.000Z", "{}.123456Z", "{}+00:00", "{}.000+00:00", "{}-00:00"])
def test_a_time_is_the_same_in_the_spelling_of_the_client(
    api: Api, ada: dict[str, Any], method: str, form: str
) -> None:
    """JavaScript writes milliseconds, Python an offset; typed clients write what they have read."""
    times = {name: form.format(ada[name][:-1]) for name in ("created_at", "updated_at")}
    answer = api(f"{USERS}/{ada['id']}", method, {**ada, **times, "id": float(ada["id"])})
    assert (answer.status, answer.json) == (200, ada)


def test_a_role_may_be_created_with_members_that_are_null(api: Api) -> None:
    made = api("/api/v1/roles", "POST", {"id": None, "role": "from_a_type", "users": None})
    assert made.status == 201
    answer = api("/api/v1/roles", "POST", {**made.json, "role": "another"})
    assert faults(answer).keys() == {"id", "users"}
    assert api(f"/api/v1/roles/{made.json['id']}", "DELETE").status == 204


def test_all_faults_are_named_together(api: Api, ada: dict[str, Any]) -> None:
    body = {**ada, "id": 10**6, "name": "a\0", "roles": ["ghost"], "x": 1, "updated_at": ""}
    answer = api(f"{USERS}/{ada['id']}", "PUT", body)
    assert faults(answer).keys() == {"id", "name", "roles[0]", "x", "updated_at"}


def test_an_older_entity_tag_is_named_before_an_older_time(api: Api, ada: dict[str, Any]) -> None:
    where = f"{USERS}/{ada['id']}"
    body = {**ada, "updated_at": "2000-01-01T00:00:00Z"}
    assert api(where, "PUT", body, If_Match='"9"').code == "precondition_failed"
    for wrong in ({"updated_at": "now"}, {"id": "1"}, {"created_at": 7}, {"id": 10**18}):
        answer = api(where, "PUT", {**ada, **wrong}, If_Match='"9"')
        assert faults(answer).keys() == wrong.keys()
    assert api(f"{USERS}/999999", "PUT", body).code == "user_not_found"
    assert api(f"{USERS}/999999", "PUT", {**body, "name": 7}).code == "user_not_found"


def test_null_is_absent_in_a_replacement_and_a_removal_in_a_patch(
    api: Api, ada: dict[str, Any]
) -> None:
    where = f"{USERS}/{ada['id']}"
    nothing = dict.fromkeys(("id", "created_at", "updated_at"))
    assert api(where, "PUT", {**ada, **nothing}).json == ada
    assert faults(api(where, "PATCH", nothing)).keys() == nothing.keys()
    made = api(USERS, "POST", {**nothing, "username": "grace", "name": None, "email": None})
    assert made.status == 201
    assert api(made["Location"], "DELETE").status == 204


def test_a_copy_has_no_id_and_no_times_of_its_own(api: Api, ada: dict[str, Any]) -> None:
    copy = {**ada, "username": "copy"}
    assert faults(api(USERS, "POST", copy)).keys() == {"id", "created_at", "updated_at"}
    facts = {name: copy[name] for name in ("username", "name", "email", "disabled", "roles")}
    made = api(USERS, "POST", facts)
    assert made.status == 201
    assert {name: made.json[name] for name in facts} == facts
    assert api(made["Location"], "DELETE").status == 204


def test_a_role_is_a_name_or_what_an_answer_shows(api: Api, ada: dict[str, Any]) -> None:
    where = f"{USERS}/{ada['id']}"
    (shown,) = [role for role in api(ROLES).json if role["role"] == "manage_documents"]
    assert shown.keys() == {"id", "role", "users"}
    held = {"id": shown["id"], "role": shown["role"]}
    for spelt in (shown, held, {"role": shown["role"]}, shown["role"], {**shown, "users": 999}):
        for method in ("PUT", "PATCH"):
            changed = api(where, method, {"username": "ada", "roles": [spelt]})
            assert (changed.status, changed.json["roles"]) == (200, [held])
        api(where, "PATCH", {"roles": []})
    made = api(USERS, "POST", {"username": "grace", "roles": [shown, shown["role"]]})
    assert made.json["roles"] == [held]
    assert api(made["Location"], "DELETE").status == 204


@pytest.mark.parametrize(
    "role",
    [
        {"id": 1},
        {"users": 1},
        {"id": 10**6, "role": "manage_documents"},
        {"id": "1", "role": "manage_documents"},
        {"id": None, "role": "manage_documents"},
        {"role": "manage_documents", "users": -1},
        {"role": "manage_documents", "users": "1"},
        {"role": "manage_documents", "users": True},
        {"role": "manage_documents", "x": 1},
        {"role": ["manage_documents"]},
        {},
        [],
        7,
        None,
    ],
    ids=str,
)
def test_what_names_no_role_is_refused(api: Api, ada: dict[str, Any], role: object) -> None:
    where = f"{USERS}/{ada['id']}"
    assert faults(api(where, "PATCH", {"roles": [role]})).keys() == {"roles[0]"}
    assert api(where).json == ada


def test_a_linked_account_can_be_sent_back(api: Api, ada: dict[str, Any]) -> None:
    where = f"{USERS}/{ada['id']}/identities"
    made = api(where, "POST", {"provider": "cas", "subject": "ada", "created_at": None})
    assert made.status == 201
    (shown,) = api(where).json
    assert shown.keys() == {"provider", "subject", "created_at"}
    again = api(where, "POST", shown)
    assert (again.status, again.json) == (200, shown)
    older = {**shown, "created_at": "2000-01-01T00:00:00Z"}
    assert faults(api(where, "POST", older)).keys() == {"created_at"}
    assert faults(api(where, "POST", {**older, "subject": "other"})).keys() == {"created_at"}
    assert api(where).json == [shown]
