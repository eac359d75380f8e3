"""The admin pages over HTTP, without scripts: what they do."""

import re
import time
from typing import get_args

from service import audit
from tests.support.admin import AUDIT, EVIL, ROLES, Admin, ada, admin
from tests.support.client import ask, bearer, cookie, sign_in
from tests.support.servers import Start

__all__ = ["ada", "admin"]


def test_a_user_is_created_changed_and_deleted(admin: Admin) -> None:
    made = admin(
        "/admin/users/new",
        {
            "username": "Grace",
            "name": "Grace Hopper",
            "email": "grace@example.org",
            "roles": ["add_documents", "manage_documents"],
        },
    )
    assert (made.status, made.body) == (303, b"")
    path, _, query = made["Location"].partition("?")
    assert query == "done=user-created"
    page = admin.page(made["Location"])
    assert "The user was created." in page.text
    assert (page.value("username"), page.value("name")) == ("grace", "Grace Hopper")
    assert page.value("email") == "grace@example.org"
    assert page.checked("roles") == ["add_documents", "manage_documents"]
    assert page.checked("disabled") == []

    user_id = int(path.rpartition("/")[2])
    fields = {"version": page.value("version"), "username": "hopper", "roles": ["manage_documents"]}
    page = admin.follow(path, {**fields, "disabled": "true"})
    assert "The user was saved." in page.text
    user = admin.user(user_id)
    assert (user["username"], user["name"], user["email"]) == ("hopper", None, None)
    assert (user["disabled"], user["roles"]) == (True, ["manage_documents"])
    assert page.checked("disabled") == ["true"]

    asked = admin.page(f"{path}/delete")
    assert "Delete hopper?" in asked.text
    page = admin.follow(f"{path}/delete", {"version": asked.value("version")})
    assert "The user was deleted." in page.text
    assert admin.page(path, 404).text.count("User not found")
    assert admin(f"{path}/delete", {"version": "2"}).status == 404


def test_what_is_changed_counts_at_once(admin: Admin, ada: int) -> None:
    port, path = admin.server.port, f"/admin/users/{ada}"
    token = sign_in(port, "ada")
    version = admin.page(path).value("version")
    page = admin.follow(path, {"version": version, "username": "ada", "roles": "manage_documents"})
    me = ask(port, "/auth/me", headers=bearer(token)).json
    assert [role["role"] for role in me["roles"]] == ["manage_documents"]
    page = admin.follow(f"{path}/sign-out", {})
    assert "All sessions of this user have ended." in page.text
    assert ask(port, "/auth/me", headers=bearer(token)).code == "token_revoked"
    token = sign_in(port, "ada")
    fields = {"version": page.value("version"), "username": "ada", "disabled": "true"}
    assert "Disabled" in admin.follow(path, fields).text
    assert ask(port, "/auth/me", headers=bearer(token)).code == "token_revoked"


def test_a_role_is_created_shown_and_deleted(admin: Admin, ada: int) -> None:
    page = admin.follow(ROLES, {"role": "team:editors"})
    assert "The role was created." in page.text
    assert "team:editors none" in page.text
    (role,) = (
        row["id"] for row in admin.api("/api/v1/roles").json if row["role"] == "team:editors"
    )
    path = f"{ROLES}/{role}/delete"
    assert "No user has this role." in admin.page(path).text
    fields = {"version": "1", "username": "ada", "roles": "team:editors"}
    admin.follow(f"/admin/users/{ada}", fields)
    assert admin.page(ROLES).links["1 user"].startswith("/admin?role=")
    assert "These users lose the role: ada." in admin.page(path).text
    assert "The role was deleted." in admin.follow(path, {}).text
    assert admin.user(ada)["roles"] == []
    assert admin(path, {}).status == 404


def test_the_list_is_searched_filtered_and_sorted(admin: Admin, ada: int) -> None:
    def found(query: str) -> list[str]:
        links = admin.page(f"/admin?{query}").links.items()
        return [text for text, path in links if re.fullmatch(r"/admin/users/\d+", path)]

    assert found("q=EXAMPLE.org") == ["ada"]
    assert found("q=ad&role=&disabled=&sort=username") == ["ada", "admin"]
    assert found("sort=-username")[-1] == "ada"
    assert found("role=manage_users") == ["admin"]
    assert found("disabled=true") == []
    page = admin.page("/admin?q=zzz&role=add_documents")
    assert "No matching users" in page.text
    assert page.value("q") == "zzz"
    assert page.links["Show all users"] == "/admin"
    page = admin.page("/admin?q=ada&sort=created_at&disabled=false")
    assert page.links["Created"] == "/admin?q=ada&sort=-created_at&disabled=false"
    assert page.links["Changed"] == "/admin?q=ada&sort=updated_at&disabled=false"
    assert page.links["ada"] == f"/admin/users/{ada}"


def test_pages_of_the_list_follow_each_other(admin: Admin) -> None:
    made = [admin.create(f"paged-{number}") for number in range(5)]
    try:
        seen: list[str] = []
        path = "/admin?q=paged-&limit=2&sort=-username"
        for _ in range(3):
            page = admin.page(path)
            seen += [text for text in page.links if text.startswith("paged-")]
            path = page.links.get("Next page", "")
        assert seen == [f"paged-{number}" for number in (4, 3, 2, 1, 0)]
        assert path == ""
        assert page.links["Back to the start"] == "/admin?q=paged-&limit=2&sort=-username"
    finally:
        for user_id in made:
            admin.api(f"/api/v1/users/{user_id}", "DELETE")


def test_the_audit_is_readable(admin: Admin, ada: int) -> None:
    fields = {"version": "1", "username": "countess", "roles": "manage_documents"}
    admin.follow(f"/admin/users/{ada}", fields)
    admin.follow(f"/admin/users/{ada}/sign-out", {})
    page = admin.page(f"{AUDIT}?user={ada}")
    said = (
        "admin ended all sessions of countess",
        "admin changed the user ada User name is now countess Name removed E-mail removed",
        "Granted manage_documents Revoked add_documents",
        "admin created the user ada with add_documents",
        "from 127.0.0.1",
    )
    for text in said:
        assert text in page.text, page.text
    assert f"the ID {ada} ." in page.text
    assert (
        "No change matches this filter."
        in admin.page(f"{AUDIT}?user={ada}&action=role_create").text
    )
    newest = admin.page(f"{AUDIT}?limit=1&user=&action=")
    older = admin.page(newest.links["Older"])
    assert older.links["Newest"] == f"{AUDIT}?limit=1"
    assert "changed the user" in older.text


def test_what_was_done_to_all_users_leads_to_none(start: Start) -> None:
    server = start()
    assert server.cli("user", "sign-out", "--all", "--yes").returncode == 0
    time.sleep(1)  # by the second: what is issued in the second of the command is refused, too
    page = Admin(server).page(AUDIT)
    assert "ended all sessions of all users" in page.text
    assert "all users" not in page.links


def test_the_accounts_of_a_user_are_shown_and_what_was_done_to_them(admin: Admin, ada: int) -> None:
    facts = admin.page(f"/admin/users/{ada}").text
    assert "Accounts none" in facts
    where = f"/api/v1/users/{ada}/identities"
    for provider, subject in (("cas", EVIL[0]), ("google", "1159")):
        account = {"provider": provider, "subject": subject}
        assert admin.api(where, "POST", account).status == 201
    assert admin.api(f"{where}?provider=google&subject=1159", "DELETE").status == 204
    assert f"Accounts cas: {EVIL[0]}" in admin.page(f"/admin/users/{ada}").text
    said = admin.page(f"{AUDIT}?user={ada}").text
    assert "admin unlinked the account 1159 at google from ada" in said
    assert "admin linked the account 1159 at google to ada" in said
    assert f"admin linked the account {EVIL[0]} at cas to ada" in said
    newest = admin.page(f"{AUDIT}?action=identity_unlink&limit=1").text
    assert "unlinked the account" in newest


def test_accounts_are_linked_and_unlinked(admin: Admin, ada: int) -> None:
    where = f"/admin/users/{ada}/accounts"
    assert admin.page(f"/admin/users/{ada}").links["Accounts at providers"] == where
    assert "No account is linked." in admin.page(where).text
    account = {"provider": "CAS", "subject": "Ada L."}
    page = admin.follow(where, account)
    assert "The account was linked" in page.text
    assert "cas Ada L." in page.text
    assert admin.api(f"/api/v1/users/{ada}/identities").json[0]["subject"] == "Ada L."
    assert "The account was linked" in admin.follow(where, account).text  # as it was already
    page = admin.follow(f"{where}/unlink", account)
    assert "The account was unlinked" in page.text
    assert "No account is linked." in page.text
    assert admin(f"{where}/unlink", account).status == 404
    log = admin.server.log(until="identity_unlink")
    assert "identity_link user=ada by=admin provider=cas" in log
    assert "Ada L." not in log


def test_where_cas_names_are_trusted_the_page_says_what_keeps_a_person_out(
    admin: Admin, ada: int, start: Start
) -> None:
    assert "disable the user" not in admin.page(f"/admin/users/{ada}/accounts").text
    trusting = Admin(start(CAS_URL="https://cas.example.org/cas", CAS_TRUST_USERNAMES="true"))
    where = f"/admin/users/{trusting.create('grace')}/accounts"
    trusting.follow(where, {"provider": "cas", "subject": "grace"})
    for page in (
        trusting.page(where),
        trusting.follow(f"{where}/unlink", {"provider": "cas", "subject": "grace"}),
    ):
        assert "the CAS account grace signs this user in by its name" in page.text
        assert "disable the user" in page.text


def test_an_account_that_cannot_be_linked_is_shown_again_with_what_is_wrong(
    admin: Admin, ada: int
) -> None:
    where = f"/admin/users/{ada}/accounts"
    taken = {"provider": "cas", "subject": "taken"}
    other = admin.create("other")
    try:
        admin.follow(f"/admin/users/{other}/accounts", taken)
        page = admin.again(where, taken, 409)
        assert "is linked to another user" in page.faults()["subject"]
        assert (page.value("provider"), page.value("subject")) == ("cas", "taken")
        page = admin.again(where, {"provider": EVIL[0], "subject": EVIL[1]}, 422)
        assert list(page.faults()) == ["provider"]
        assert (page.value("provider"), page.value("subject")) == (EVIL[0], EVIL[1])
        page = admin.again(where, {"provider": "cas"}, 422)
        assert list(page.faults()) == ["subject"]
        assert page.focused == "subject"
        assert admin.api(f"/api/v1/users/{ada}/identities").json == []
    finally:
        admin.api(f"/api/v1/users/{other}", "DELETE")


def test_every_action_of_the_audit_has_words(admin: Admin) -> None:
    answer = admin(AUDIT)
    assert answer.status == 200
    options = re.findall(r'<option value="(\w+)">([^<]*)</option>', answer.text)
    assert [action for action, _ in options] == list(get_args(audit.Action))
    assert all(words and words != action for action, words in options)


def test_what_was_done_is_logged_and_what_was_refused_is_too(admin: Admin, ada: int) -> None:
    admin.follow(f"/admin/users/{ada}/sign-out", {})
    refused = admin("/admin/users/new", {"username": "ada"})
    log = admin.server.log(refused["X-Request-ID"])
    assert "user_sign_out user=ada by=admin" in log
    assert f"code=username_taken status=409 client=127.0.0.1 id={refused['X-Request-ID']}" in log
    assert "ada@example.org" not in log


def test_the_home_page_leads_here_whom_it_lets_in(admin: Admin) -> None:
    assert admin.page("/").links["Users and roles"] == "/admin"
    other = cookie(sign_in(admin.server.port, "manager"))
    assert "/admin" not in ask(admin.server.port, "/", headers=other).text
