"""The admin page: links for users, and open invitations."""

import re

import pytest

from tests.support.admin import Admin
from tests.support.client import BROWSER, Answer, ask, cookie, sign_in
from tests.support.description import assert_documented
from tests.support.links import call, new_user, use
from tests.support.passwords import quick_hashes
from tests.support.servers import Running, Server, Start
from tests.support.stores import Store

__all__ = ["quick_hashes"]

INVITATIONS = "/admin/invitations"


@pytest.fixture(scope="module")
def site(running: Running, store: Store, quick_hashes: None) -> Server:  # noqa: ARG001  # before the server starts
    return running.start(store, PASSWORD_AUTH="true")


@pytest.fixture
def admin(site: Server) -> Admin:
    return Admin(site)


def shown(answer: Answer) -> str:
    """Return the path of the link that a page shows."""
    assert answer.status == 200, answer.text
    (path,) = re.findall(r'value="http://localhost:\d+(/auth/links/[0-9a-f]{64})"', answer.text)
    return str(path)


@pytest.mark.parametrize(("purpose", "status"), [("invite", 200), ("reset", 204)])
def test_a_manager_makes_a_link_on_the_page_of_a_user(
    admin: Admin, purpose: str, status: int
) -> None:
    user = new_user(admin.server, f"ada-{purpose}")
    page = f"/admin/users/{user}"
    assert f'action="{page}/links"' in admin(page).text
    path = shown(admin(f"{page}/links", {"purpose": purpose}))
    assert use(admin.server, path).status == status
    assert path not in admin(page).text


def test_a_disabled_user_gets_no_link(admin: Admin) -> None:
    user = new_user(admin.server, "beth")
    call(admin.server, f"/api/v1/users/{user}", "PATCH", {"disabled": True})
    assert "/links" not in admin(f"/admin/users/{user}").text
    assert admin(f"/admin/users/{user}/links", {"purpose": "invite"}).status == 409


def test_a_manager_makes_lists_and_revokes_invitations(admin: Admin) -> None:
    fields = {"roles": ["view_documents"], "uses": "3", "expires_in": "12h"}
    path = shown(admin(INVITATIONS, fields))
    assert use(admin.server, path, username="cleo").status == 200
    page = admin(INVITATIONS).text
    assert "1 of 3" in page
    assert path not in page
    (number,) = re.findall(r'action="/admin/invitations/(\d+)/revoke"', page)
    done = admin.follow(f"{INVITATIONS}/{number}/revoke", {})
    assert done is not None
    assert use(admin.server, path, username="dora").code == "link_invalid"
    assert "There are no open invitations." in admin(INVITATIONS).text


def test_a_refused_invitation_is_shown_again_with_its_values(admin: Admin) -> None:
    answer = admin(INVITATIONS, {"uses": '0"><b>', "expires_in": "soon", "roles": ["no_such"]})
    assert answer.status == 422
    assert 'value="0&#34;&gt;&lt;b&gt;"' in answer.text
    assert 'id="uses-fault"' in answer.text
    assert 'id="expires_in-fault"' in answer.text
    assert 'id="roles-fault"' in answer.text


def test_without_passwords_the_page_offers_no_links(start: Start) -> None:
    admin = Admin(start())
    assert INVITATIONS not in admin("/admin").text
    assert "/links" not in admin("/admin/users/1").text
    assert admin(INVITATIONS).status == 404


@pytest.mark.parametrize(
    "path", [INVITATIONS, f"{INVITATIONS}/1/revoke", "/admin/users/1/links"], ids=str
)
def test_other_sites_and_other_users_make_no_links(site: Server, path: str) -> None:
    form = {**BROWSER, "Content-Type": "application/x-www-form-urlencoded"}
    manager = {**form, **cookie(sign_in(site.port)), "Sec-Fetch-Site": "cross-site"}
    user = {**form, **cookie(sign_in(site.port, "user")), "Sec-Fetch-Site": "same-origin"}
    for headers in (manager, user):
        assert ask(site.port, path, "POST", headers=headers, body=b"purpose=reset").status == 403


def test_the_answers_are_as_documented(admin: Admin) -> None:
    document = ask(admin.server.port, "/openapi.json").json
    user = new_user(admin.server, "elsa")
    rows = [
        ("/admin/users/{id}/links", user, {"purpose": "invite"}, 200),
        ("/admin/users/{id}/links", user, {"purpose": "claim"}, 422),
        ("/admin/users/{id}/links", 10**9, {"purpose": "reset"}, 404),
        (INVITATIONS, "", {"uses": "1"}, 200),
        (INVITATIONS, "", {"uses": "none"}, 422),
        (f"{INVITATIONS}/{{id}}/revoke", 10**9, {}, 404),
        (f"{INVITATIONS}/{{id}}/revoke", 1, {"x": "y"}, 422),
        (INVITATIONS, "", None, 200),
    ]
    for path, number, fields, status in rows:
        answer = admin(path.format(id=number), fields)
        assert answer.status == status, (path, answer.text)
        assert_documented(document, "GET" if fields is None else "POST", path, answer)
