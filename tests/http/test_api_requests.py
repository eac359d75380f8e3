"""Requests of the REST API: each fault in a body, a path or a query is named."""

from typing import Any
from urllib.parse import quote

import pytest

from service import errors
from service.schemas.queries import cursor
from tests.http.test_api import ada, api
from tests.support.api import ROLES, USERS, Api
from tests.support.client import Answer

__all__ = ["ada", "api"]


def faults(answer: Answer) -> dict[str, str]:
    """Return the faults that a 422 names, by attribute."""
    assert (answer.status, answer.code) == (422, "validation_error"), answer.text
    return {error["attribute"]: error["message"] for error in answer.json["errors"]}


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, {"username"}),
        ([], {"body"}),
        (3, {"body"}),
        ({"username": None}, {"username"}),
        ({"username": ""}, {"username"}),
        ({"username": "a b", "name": "x" * 201, "email": "no"}, {"username", "name", "email"}),
        ({"username": "x" * 65}, {"username"}),
        ({"username": "\u212aim"}, {"username"}),
        ({"username": "x", "id": 7, "version": 1}, {"id", "version"}),
        ({"username": "x", "disabled": "true"}, {"disabled"}),
        ({"username": "x", "disabled": 1}, {"disabled"}),
        ({"username": "x", "roles": "manage_users"}, {"roles"}),
        (
            {"username": "x", "roles": ["no-such-role", 7, None]},
            {"roles[0]", "roles[1]", "roles[2]"},
        ),
        ({"username": "x", "roles": [{"id": 99, "role": "manage_users"}]}, {"roles[0]"}),
        ({"username": "x", "roles": [{"id": True, "role": "manage_users"}]}, {"roles[0]"}),
        ({"username": "x", "roles": [{"id": 1}]}, {"roles[0]"}),
        ({"username": "x", "roles": [{"role": "manage_users", "x": 1}]}, {"roles[0]"}),
        ({"username": "x", "name": "a\nb"}, {"name"}),
        ({"username": "x", "name": "a\x00b"}, {"name"}),
        ({"username": "x", "email": "a@b@c.org"}, {"email"}),
        ({"username": "x", "email": "Ada <ada@example.org>"}, {"email"}),
        ({"username": "x", "email": "a@" + "b" * 300 + ".org"}, {"email"}),
        ({"username": "x", "y" * 5000: 1}, {"y" * 100}),
    ],
    ids=lambda value: None if isinstance(value, set) else str(value)[:40],
)
def test_every_fault_is_named(api: Api, body: object, named: set[str]) -> None:
    before = api.everything()
    assert faults(api(USERS, "POST", body)).keys() == named
    assert api.everything() == before


@pytest.mark.parametrize("body", [{"username": None}, {"disabled": None}, {"roles": None}])
def test_what_is_required_cannot_be_taken_away(
    api: Api, ada: dict[str, Any], body: dict[str, None]
) -> None:
    assert faults(api(f"{USERS}/{ada['id']}", "PATCH", body)).keys() == body.keys()


@pytest.mark.parametrize(
    ("path", "method", "body"),
    [
        (f"{USERS}/{{id}}", "PATCH", {"username": "admin"}),
        (f"{USERS}/{{id}}", "PUT", {"username": "ADMIN"}),
        (USERS, "POST", {"username": "Admin"}),
    ],
)
def test_a_taken_name_is_a_conflict(
    api: Api, ada: dict[str, Any], path: str, method: str, body: object
) -> None:
    answer = api(path.replace("{id}", str(ada["id"])), method, body)
    assert (answer.status, answer.code) == (409, "username_taken")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b'{"username": "x"} x',
        b'{"username": "x", "username": "y"}',
        b"\xff",
        b"\x00",
        b'\xef\xbb\xbf{"username": "x"}',
        b"[" * 20_000,
        b'{"username": NaN}',
        b"9" * 6000,
        b'{"username": "\\ud800"}',
        '{"username": "x"}'.encode("utf-16"),
    ],
    ids=lambda data: repr(data)[:30],
)
def test_what_is_not_json_is_refused(api: Api, data: bytes) -> None:
    answer = api(USERS, "POST", data)
    assert (answer.status, answer.code) == (400, "json_invalid")


def test_an_answer_names_a_hundred_faults(api: Api) -> None:
    hundred = api(USERS, "POST", {"username": "x", "roles": [0] * 100})
    assert len(faults(hundred)) == 100
    assert hundred.json["detail"] == errors.ValidationError.detail
    for body in ({"roles": [0] * 1000}, {f"x{number}": 0 for number in range(1000)}):
        answer = api(USERS, "POST", {"username": "x", **body})
        assert len(faults(answer)) == 100
        assert answer.json["detail"].startswith(
            "The request has 1,000 invalid values. Correct the first 100"
        )


def test_a_list_of_roles_has_a_bound(api: Api) -> None:
    made = api(USERS, "POST", {"username": "many", "roles": ["add_documents"] * 1000})
    where = made["Location"]
    for roles in (["add_documents"] * 1001, [0] * 20_000):
        said = {"roles": "has more than 1,000 entries"}
        assert faults(api(USERS, "POST", {"username": "x", "roles": roles})) == said
        assert faults(api(where, "PATCH", {"roles": roles})) == said
    assert api(where, "DELETE").status == 204


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=utf-16",
        "application/jsonp",
        "",
        "json",
    ],
)
def test_another_content_type_is_refused(api: Api, kind: str) -> None:
    answer = api(USERS, "POST", {"username": "x"}, Content_Type=kind)
    assert (answer.status, answer.code) == (415, "content_type_unsupported")


def test_a_body_that_is_too_large_is_refused(api: Api) -> None:
    answer = api(USERS, "POST", {"username": "x", "name": "y" * 70_000})
    assert (answer.status, answer.code) == (413, "body_too_large")


@pytest.mark.parametrize(
    "text",
    ["0", "-1", "01", "1e3", "1.0", "9" * 19, "%31x", "\u0661", "x", "%00", "1%2F", "a" * 5000],
    ids=ascii,
)
def test_what_is_no_id_is_nobody(api: Api, text: str) -> None:
    for method in ("GET", "DELETE"):
        assert api(f"{USERS}/{quote(text, safe='%')}", method).code == "user_not_found"
        role = api(f"{ROLES}/{quote(text, safe='%')}", "DELETE")
        assert role.code == "role_not_found"
    assert api(f"{USERS}/999999999999999999").code == "user_not_found"


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("limit=0", {"limit"}),
        ("limit=201", {"limit"}),
        ("limit=1e1", {"limit"}),
        ("limit=%2050", {"limit"}),
        ("limit=", {"limit"}),
        ("limit=10&limit=20", {"limit"}),
        ("sort=email", {"sort"}),
        ("sort=--id", {"sort"}),
        ("sort=id;drop%20table%20users", {"sort"}),
        ("q=", {"q"}),
        (f"q={'x' * 101}", {"q"}),
        ("q=a%00b", {"q"}),
        ("q=%ff%fe", set()),
        ("disabled=yes", {"disabled"}),
        ("limit=x&sort=x&q=&disabled=x&y=1", {"limit", "sort", "q", "disabled", "y"}),
        ("cursor=x", {"cursor"}),
        ("cursor=" + "x" * 2000, {"cursor"}),
        ("cursor=WyJpZCIsMSwxXQ", {"cursor"}),
        ("sort=id&cursor=WyJpZCIsMSwxXQ", set()),
        ("cursor=WyJ1c2VybmFtZSIsMSwxXQ", {"cursor"}),
        ("cursor=WyJ1c2VybmFtZSIsImEiLDllOTldOw", {"cursor"}),
        ("cursor=%F0%9F%98%80", {"cursor"}),
        ("cursor=" + cursor("username", "a\0", 1), {"cursor"}),
        ("role=%00", {"role"}),
        ("q=abc&role=a%00", {"role"}),
        ("role=" + "x" * 65, {"role"}),
    ],
    ids=lambda value: None if isinstance(value, set) else str(value)[:30],
)
def test_a_question_with_faults_is_told_all_of_them(api: Api, query: str, named: set[str]) -> None:
    answer = api(f"{USERS}?{query}")
    if named:
        assert faults(answer).keys() == named
    else:
        assert answer.status == 200


@pytest.mark.parametrize(
    "query", ["user=0", "user=x", "action=drop", "limit=999", "x=1", "cursor=e30"]
)
def test_a_faulty_question_for_the_audit(api: Api, query: str) -> None:
    assert faults(api(f"/api/v1/audit?{query}")).keys() == {query.partition("=")[0]}


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_a_method_that_is_not_there_names_those_that_are(api: Api, method: str) -> None:
    answer = api(USERS, method)
    assert (answer.status, answer.code) == (405, "method_not_allowed")
    assert set(answer["Allow"].split(",")) == {"GET", "HEAD", "POST"}


def test_nothing_of_a_query_stands_in_the_log(api: Api) -> None:
    api(f"{USERS}?q=very-private")
    assert "very-private" not in api.server.log()
