"""The forms of the admin pages over HTTP: stale ones, and faults beside their fields."""

import time
from typing import Any
from urllib.parse import urlencode

import pytest

from service import audit
from tests.support.admin import FORM, ROLES, Admin, ada, admin, admin_operations

__all__ = ["ada", "admin"]


def test_a_stale_form_is_shown_again_with_what_changed(admin: Admin, ada: int) -> None:
    path = f"/admin/users/{ada}"
    opened = admin.page(path)
    admin.api(
        f"/api/v1/users/{ada}", "PATCH", {"name": "Countess", "roles": [], "email": "a@example.com"}
    )
    before = admin.everything()
    mine = {
        "version": opened.value("version"),
        "username": "ada",
        "name": "Lovelace",
        "email": "a@example.com",
        "roles": ["add_documents", "view_documents"],
        "disabled": "true",
    }
    page = admin.again(path, mine, 412)
    assert admin.everything() == before
    assert page.alerts[0].startswith("admin changed this user at 20")
    assert (page.value("name"), page.value("email")) == ("Lovelace", "a@example.com")
    assert page.checked("roles") == ["add_documents", "view_documents"]
    assert page.checked("disabled") == ["true"]
    now = {name: text for name, text in page.texts.items() if name.endswith("-now")}
    assert now == {
        "name-now": "Saved value: Countess",
        "roles-now": "Saved value: none",
        "disabled-now": "Saved value: active",
    }
    described = {entry["name"]: entry.get("aria-describedby", "") for entry in page.inputs}
    assert "name-now" in described["name"]
    assert page.value("version") == "2"
    admin.follow(path, {**mine, "version": page.value("version")})
    assert admin.user(ada)["name"] == "Lovelace"


def test_a_stale_form_that_says_what_is_so_already(admin: Admin, ada: int) -> None:
    admin.api(f"/api/v1/users/{ada}", "PATCH", {"name": None, "email": None, "roles": []})
    page = admin.again(f"/admin/users/{ada}", {"version": "1", "username": "ada"}, 412)
    assert "The saved values are the same as yours." in page.text
    assert not [name for name in page.texts if name.endswith("-now")]


def test_a_user_changed_by_deleting_a_role_is_blamed_on_nobody(admin: Admin, ada: int) -> None:
    role = admin.api("/api/v1/roles", "POST", {"role": "passing"}).json["id"]
    admin.api(f"/api/v1/users/{ada}", "PATCH", {"roles": ["passing"]})
    changed = admin.user(ada)["updated_at"]
    while audit.now() == changed:
        time.sleep(0.05)
    assert admin.api(f"/api/v1/roles/{role}", "DELETE").status == 204
    page = admin.again(f"/admin/users/{ada}", {"version": "1", "username": "ada"}, 412)
    assert page.alerts[0].startswith(
        "Another administrator changed this user while you were editing."
    )


def test_a_stale_question_is_asked_again(admin: Admin, ada: int) -> None:
    path = f"/admin/users/{ada}/delete"
    version = admin.page(path).value("version")
    admin.api(f"/api/v1/users/{ada}", "PATCH", {"username": "somebody-else"})
    page = admin.again(path, {"version": version}, 412)
    assert "This user was changed while you were editing." in page.alerts[0]
    assert "Delete somebody-else?" in page.text
    admin.follow(path, {"version": page.value("version")})


LONG = "x" * 201


@pytest.mark.parametrize(
    ("fields", "beside", "above"),
    [
        ([], {"username": "User name is required."}, ""),
        ({"username": ""}, {"username": "A user name starts with"}, ""),
        ({"username": "a b"}, {"username": "A user name starts with"}, ""),
        ({"username": "x" * 65}, {"username": "A user name starts with"}, ""),
        ({"username": "a\x00b"}, {"username": "A user name starts with"}, ""),
        ({"username": "\u212aim"}, {"username": "A user name starts with"}, ""),
        (
            {"username": "ok", "name": "a\x00b"},
            {"name": "Name contains U+0000, a control character"},
            "",
        ),
        (
            {"username": "ok", "name": "a\u202eb"},
            {"name": "Name contains U+202E, which changes the direction of text"},
            "",
        ),
        (
            {"username": "ok", "name": "a\r\nb"},
            {"name": "Name contains U+000D, a control character"},
            "",
        ),
        ({"username": "ok", "name": LONG}, {"name": "Name must have at most 200 characters."}, ""),
        (
            {"username": "ok", "email": "nope"},
            {"email": "E-mail is not a valid e-mail address: an e-mail address must have an @"},
            "",
        ),
        (
            {"username": "ok", "email": "A <a@b.org>"},
            {"email": "E-mail must be only an e-mail address"},
            "",
        ),
        ({"username": "ok", "disabled": "yes"}, {"disabled": "Disabled must be true"}, ""),
        ({"username": "ok", "roles": "nobody"}, {"roles": "The role does not exist."}, ""),
        (
            {"username": "-", "name": LONG, "email": "@", "roles": ["x", "y"]},
            {"username": "A user", "name": "Name must", "email": "E-mail is", "roles": "The role"},
            "",
        ),
        (
            [("username", "a"), ("username", "b")],
            {"username": "User name must be a single string"},
            "",
        ),
        ([("username", "a"), ("name", "a"), ("name", "b")], {"name": "Name must be"}, ""),
        (
            [("username", "a"), ("disabled", "true"), ("disabled", "true")],
            {"disabled": "Disabled must"},
            "",
        ),
        ({"username": "ok", "id": "7"}, {}, "“id” is unknown or cannot be set"),
        ({"username": "ok", "version": "1"}, {}, "“version” is unknown or cannot be set"),
        ({"username": "ok", "<script>": "x"}, {}, "“<script>” is unknown or cannot be set"),
        ({"username": "ok", "": "x"}, {}, "“” is unknown or cannot be set"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_every_fault_stands_beside_its_field(
    admin: Admin,
    ada: int,
    fields: dict[str, Any] | list[tuple[str, str]],
    beside: dict[str, str],
    above: str,
) -> None:
    before = admin.everything()
    typed = dict(fields)
    forms = {"/admin/users/new": urlencode(fields, doseq=True)}
    if "version" not in typed:
        forms[f"/admin/users/{ada}"] = f"{forms['/admin/users/new']}&version=1".lstrip("&")
    for path, sent in forms.items():
        page = admin.again(path, sent.encode(), 422)
        found = page.faults()
        assert found.keys() == beside.keys()
        for name, text in beside.items():
            assert found[name].startswith(text), found
        assert page.focused == next(iter(beside), "")
        assert any(above in text for text in page.alerts) or not above
        for name in ("username", "name", "email"):
            assert page.value(name) == typed.get(name, "")
        assert page.checked("disabled") == (["true"] if "disabled" in typed else [])
    assert admin.everything() == before


@pytest.mark.parametrize("version", ["", "0", "-1", "x", "1.0", "01", "9" * 19, "\u0661"])
def test_a_version_that_is_none_is_a_fault(admin: Admin, ada: int, version: str) -> None:
    before = admin.everything()
    for path, fields in (
        (f"/admin/users/{ada}", {"username": "mallory"}),
        (f"/admin/users/{ada}/delete", {}),
    ):
        for sent in ({**fields, "version": version}, fields):
            page = admin.again(path, sent, 422)
            assert "version" in page.alerts[0]
    assert admin.everything() == before


@pytest.mark.parametrize(
    ("role", "status", "says"),
    [
        ("", 422, "A role name starts with"),
        ("Big", 422, "A role name starts with"),
        ("a,b", 422, "A role name starts with"),
        ("a\x00", 422, "A role name starts with"),
        ("x" * 65, 422, "A role name starts with"),
        ("manage_users", 409, "The role manage_users already exists."),
    ],
)
def test_a_role_that_cannot_be(admin: Admin, role: str, status: int, says: str) -> None:
    before = admin.everything()
    page = admin.again(ROLES, {"role": role}, status)
    assert page.faults()["role"].startswith(says)
    assert page.focused == "role"
    assert page.value("role") == role
    assert admin.everything() == before


@pytest.mark.parametrize("path", ["/admin/users/new", "/admin/users/{id}"])
def test_a_taken_name_stands_beside_the_name(admin: Admin, ada: int, path: str) -> None:
    fields = {"username": "Admin", "name": "Kept", "roles": "add_documents"}
    if "{id}" in path:
        fields["version"] = "1"
    before = admin.everything()
    page = admin.again(path.replace("{id}", str(ada)), fields, 409)
    assert page.faults() == {"username": "The user name admin is already taken."}
    assert (page.focused, page.value("username")) == ("username", "Admin")
    assert (page.value("name"), page.checked("roles")) == ("Kept", ["add_documents"])
    assert admin.everything() == before


def test_what_takes_no_field_takes_none(admin: Admin, ada: int) -> None:
    before = admin.everything()
    (role, *_) = admin.api("/api/v1/roles").json
    for path in (f"/admin/users/{ada}/sign-out", f"{ROLES}/{role['id']}/delete"):
        assert admin(path, {"x": "1"}).status == 422
    assert admin.everything() == before


@pytest.mark.parametrize(
    "data",
    [b"username", b"username=x&", b"username=%ff", b"username=%zz", b"\x00", b"a b=c", b"{}"],
    ids=repr,
)
def test_what_is_no_form_is_refused(admin: Admin, ada: int, data: bytes) -> None:
    before = admin.everything()
    for method, path in admin_operations(admin):
        if method == "POST":
            answer = admin(path.replace("{id}", str(ada)), data, Accept="*/*")
            assert (answer.status, answer.code) == (400, "form_invalid")
            assert "Invalid form" in admin(path.replace("{id}", str(ada)), data).text
    assert admin.everything() == before


@pytest.mark.parametrize(
    "kind",
    [
        "application/json",
        "multipart/form-data; boundary=x",
        "text/plain",
        FORM + "; charset=utf-16",
        "",
    ],
)
def test_another_content_type_is_refused(admin: Admin, kind: str) -> None:
    answer = admin("/admin/users/new", {"username": "x"}, Content_Type=kind, Accept="*/*")
    assert (answer.status, answer.code) == (415, "content_type_unsupported")


def test_a_body_that_is_too_large_is_refused(admin: Admin) -> None:
    assert admin("/admin/users/new", {"username": "x", "name": "y" * 70_000}).status == 413
