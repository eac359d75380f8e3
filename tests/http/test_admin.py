"""The admin page over HTTP, without scripts: what it does, whom it refuses, what it shows."""

import json
import re
import time
from collections.abc import Iterator
from typing import Any, get_args
from urllib.parse import urlencode

import pytest

from service import audit
from tests.http.test_openapi import operations
from tests.support import pages
from tests.support.client import BROWSER, Answer, ask, bearer, cookie, sign_in
from tests.support.environment import STRONG
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


# --- What it does.


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


# --- Whom it refuses.


def admin_operations(admin: Admin) -> list[tuple[str, str]]:
    """Return method and path of every operation of the admin page."""
    described = operations(admin.api("/openapi.json").json)
    return [key for key in described if key[1].startswith("/admin")]


def test_only_who_manages_users_gets_in(admin: Admin, ada: int) -> None:
    before = admin.everything()
    found = admin_operations(admin)
    assert len(found) == 16
    for method, path in found:
        where = path.replace("{id}", str(ada))
        fields = {"version": "1", "username": "mallory", "role": "mallory"}
        body = urlencode(fields).encode() if method == "POST" else None
        headers = {**BROWSER, "Content-Type": FORM}
        nobody = ask(admin.server.port, where, method, headers=headers, body=body)
        assert nobody.status == 401
        assert f"/auth/login?next={where.replace('/', '%2F')}" in nobody.text
        for name in ("user", "manager", "ada"):
            jar = cookie(sign_in(admin.server.port, name))
            refused = ask(admin.server.port, where, method, headers={**headers, **jar}, body=body)
            assert refused.status == 403
            assert "Missing role" in refused.text
    assert admin.everything() == before


def test_a_page_of_another_site_changes_nothing(admin: Admin, ada: int) -> None:
    before = admin.everything()
    fields = {"version": "1", "username": "mallory", "role": "mallory"}
    for method, path in admin_operations(admin):
        if method == "POST":
            where = path.replace("{id}", str(ada))
            for site in ("cross-site", "same-site", "nonsense"):
                refused = admin(where, fields, Sec_Fetch_Site=site)
                assert refused.status == 403
                assert "Cross-site request" in refused.text
    old = {**BROWSER, **admin.jar, "Content-Type": FORM, "Origin": "https://evil.example"}
    refused = ask(
        admin.server.port, ROLES, "POST", headers=old, body=urlencode({"role": "x"}).encode()
    )
    assert refused.status == 403
    assert admin.everything() == before


def test_the_last_manager_stays(admin: Admin) -> None:
    before = admin.everything()
    version = admin.page("/admin/users/1").value("version")
    (role,) = (
        row["id"] for row in admin.api("/api/v1/roles").json if row["role"] == "manage_users"
    )
    demoted = {"version": version, "username": "admin", "name": "Kept", "roles": "add_documents"}
    shown = [
        admin.again("/admin/users/1", demoted, 409),
        admin.again("/admin/users/1", {**demoted, "disabled": "true"}, 409),
        admin.again("/admin/users/1/delete", {"version": version}, 409),
    ]
    for page in shown:
        assert page.alerts == [
            "This is the last active user with manage_users. Grant that role to another user first."
        ]
    (alert,) = admin.again(f"{ROLES}/{role}/delete", {}, 409).alerts
    assert alert.startswith("You cannot delete the role manage_users while an active user has it: ")
    assert shown[0].value("name") == "Kept"
    assert shown[0].checked("roles") == ["add_documents"]
    assert admin.everything() == before


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


# --- What it cannot be told.

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
            {"name": "Name contains a non-printable character"},
            "",
        ),
        (
            {"username": "ok", "name": "a\u202eb"},
            {"name": "Name contains a non-printable character"},
            "",
        ),
        (
            {"username": "ok", "name": "a\r\nb"},
            {"name": "Name contains a non-printable character"},
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


@pytest.mark.parametrize(
    ("path", "beside", "above"),
    [
        ("/admin?limit=x", {}, "“limit” must be a number"),
        ("/admin?cursor=x", {}, "“cursor” must come from the Link header"),
        ("/admin?sort=email", {"sort": "Sort must be one of"}, ""),
        ("/admin?sort=", {"sort": "Sort must be one of"}, ""),
        (f"/admin?q={'x' * 101}", {"q": "Search must have at most 100 characters."}, ""),
        ("/admin?q=a%00b", {"q": "Search contains a non-printable character"}, ""),
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


# --- What it shows.


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
