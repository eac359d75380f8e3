"""The admin pages over HTTP: faulty queries, and what is shown as text."""

from urllib.parse import urlencode

import pytest

from tests.support import pages
from tests.support.admin import AUDIT, EVIL, ROLES, Admin, ada, admin, admin_operations
from tests.support.client import BROWSER, ask, cookie
from tests.support.environment import STRONG
from tests.support.servers import Start

__all__ = ["ada", "admin"]


@pytest.mark.parametrize(
    ("path", "beside", "above"),
    [
        ("/admin?limit=x", {}, "“limit” must be a number"),
        ("/admin?cursor=x", {}, "“cursor” must come from the Link header"),
        ("/admin?sort=email", {"sort": "Sort must be one of"}, ""),
        ("/admin?sort=", {"sort": "Sort must be one of"}, ""),
        (f"/admin?q={'x' * 101}", {"q": "Search must have at most 100 characters."}, ""),
        ("/admin?q=a%00b", {"q": "Search contains U+0000, a control character"}, ""),
        ("/admin?q=a&q=b", {"q": "Search must be a single string."}, ""),
        ("/admin?disabled=yes", {"disabled": "Disabled must be"}, ""),
        ("/admin?done=You+have+won", {}, "“done” must be one of"),
        ("/admin?done=user-saved&done=user-saved", {}, "“done” must be one of"),
        ("/admin?x=1", {}, "“x” is unknown or cannot be set"),
        ("/admin/audit?action=drop", {"action": "Show must be one of"}, ""),
        ("/admin/audit?user=x", {}, "“user” must be the ID"),
        ("/admin/audit?done=user-saved", {}, "“done” is unknown or cannot be set"),
    ],
)
def test_a_faulty_question_is_shown_with_its_fault(
    admin: Admin, path: str, beside: dict[str, str], above: str
) -> None:
    page = admin.page(path, 422)
    assert page.faults().keys() == beside.keys()
    for name, text in beside.items():
        assert page.faults()[name].startswith(text)
    assert any(above in text for text in page.alerts) or not above
    assert "You have won" not in page.text


@pytest.mark.parametrize(
    "path",
    [
        "/admin/users/{}?x=1",
        "/admin/users/new?x=1",
        "/admin/users/{}/delete?x=1",
        "/admin/roles?x=1",
        "/admin/roles/{}/delete?x=1",
        "/admin/users/{}?done=x",
    ],
)
def test_a_query_that_a_page_does_not_have(admin: Admin, path: str) -> None:
    page = admin.page(path.format(1), 422)
    assert "Validation failed" in page.text
    assert "x is unknown or cannot be set" in page.text or "done must be one of" in page.text


@pytest.mark.parametrize("text", ["0", "-1", "01", "x", "9" * 19, "%00", "1%2F"])
def test_what_is_no_id_is_nobody(admin: Admin, text: str) -> None:
    for path in ("users/{}", "users/{}/delete", "roles/{}/delete"):
        assert admin(f"/admin/{path.format(text)}").status == 404
        assert admin(f"/admin/{path.format(text)}", {}).status == 404
    assert admin(f"/admin/users/{text}/sign-out", {}).status == 404


def test_a_program_gets_the_problem_itself(admin: Admin) -> None:
    for fields, code in (
        ({"username": "-"}, "validation_error"),
        ({"username": "admin"}, "username_taken"),
    ):
        answer = admin("/admin/users/new", fields, Accept="application/json")
        assert answer.code == code
    assert admin("/admin?limit=x", Accept="*/*").code == "validation_error"


@pytest.mark.parametrize("evil", EVIL)
def test_what_people_typed_is_shown_as_text(admin: Admin, ada: int, evil: str) -> None:
    fields = {"version": "1", "username": "ada", "name": evil}
    shown = [
        admin.follow(f"/admin/users/{ada}", fields),
        admin.again(f"/admin/users/{ada}", {**fields, "email": evil, "roles": evil}, 422),
        admin.again(f"/admin/users/{ada}", fields, 412),
        admin.again("/admin/users/new", {"username": evil, "name": evil}, 422),
        admin.again("/admin/users/new", {"username": "x", evil: evil}, 422),
        admin.again(ROLES, {"role": evil}, 422),
        admin.page("/admin?q=ada"),
        admin.page("/admin?" + urlencode({"q": evil, "role": evil})),
        admin.page("/admin?" + urlencode({evil: evil, "sort": evil}), 422),
        admin.page(f"/admin/users/{ada}/delete"),
        admin.page(f"{AUDIT}?user={ada}"),
        admin.page(f"{AUDIT}?" + urlencode({"user": evil}), 422),
    ]
    for page in shown:
        assert page.handlers == []
        assert len(page.scripts) == 1
        assert page.scripts[0].startswith("/static/admin.js")
    assert shown[0].value("name") == evil
    assert evil in shown[6].text
    assert shown[7].value("q") == evil
    assert evil in shown[10].text


def test_every_page_has_a_policy_that_lets_in_our_script_alone(admin: Admin) -> None:
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src"
        " 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    for method, path in admin_operations(admin):
        if method == "GET":
            answer = admin(path.replace("{id}", "1"))
            assert answer["Content-Security-Policy"] == policy
            assert answer["Cache-Control"] == "no-store"
            page = pages.read(answer.text)
            assert page.handlers == []
            assert "<style" not in answer.text
    assert "script-src" in admin("/admin/users/new", {"username": "-"})["Content-Security-Policy"]
    assert "script-src" not in admin("/admin/users/999")["Content-Security-Policy"]


def test_who_looks_at_oneself_is_told_so(admin: Admin, ada: int) -> None:
    assert "This is your own account." in admin.page("/admin/users/1").text
    assert "This is your own account." not in admin.page(f"/admin/users/{ada}").text
    assert "This is your own account." in admin.page("/admin/users/1/delete").text
    assert "This is your own account." not in admin.page(f"/admin/users/{ada}/delete").text


def test_as_long_as_there_are_only_demo_users_the_list_says_how_to_make_others(
    start: Start,
) -> None:
    hint = "Only demo users exist"
    admin = Admin(start(ENVIRONMENT="development"))
    assert hint in admin.page("/admin").text
    assert hint not in admin.page("/admin?q=admin").text
    user_id = admin.create("real")
    assert hint not in admin.page("/admin").text
    admin.api(f"/api/v1/users/{user_id}", "DELETE")
    assert hint in admin.page("/admin").text


def test_in_production_there_is_no_such_hint(start: Start) -> None:
    server = start(
        ENVIRONMENT="production",
        BYPASS_AUTH="false",
        PUBLIC_URL="https://auth.example.org",
        JWT_SECRET_KEY=STRONG,
    )
    token = server.cli("token", "issue", "admin").stdout.strip()
    page = ask(server.port, "/admin", headers={**BROWSER, **cookie(token)})
    assert page.status == 200
    assert "demo users" not in page.text
