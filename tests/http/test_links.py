"""Links that set a password: what each kind does, once."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support import codes
from tests.support.client import BROWSER, ask, bearer, cookie, sign_in
from tests.support.links import (
    PASSWORD,
    call,
    invitation,
    link,
    new_user,
    use,
    use_form,
)
from tests.support.passwords import RIGHT, attempt, give_password, quick_hashes, session_token
from tests.support.servers import Running, Server
from tests.support.stores import Store, run_sql

__all__ = ["quick_hashes"]


@pytest.fixture(scope="module")
def site(running: Running, store: Store, quick_hashes: None) -> Server:  # noqa: ARG001  # before the server starts
    return running.start(store, PASSWORD_AUTH="true", TRUSTED_PROXIES="127.0.0.1/32")


def test_an_invite_sets_the_first_password_and_signs_in(site: Server) -> None:
    path = link(site, new_user(site, "ada", "view_documents"))
    page = ask(site.port, path, headers=BROWSER)
    assert page.status == 200
    assert "Set up your sign-in" in page.text
    assert "ada" in page.text
    answer = use(site, path)
    assert answer.status == 200
    me = ask(site.port, "/auth/me", headers=bearer(session_token(answer))).json
    assert answer.json == me
    assert (me["username"], me["method"]) == ("ada", "password")
    assert attempt(site.port, "ada", PASSWORD).status == 200
    assert_used_up(site, path)


def test_a_link_does_not_replace_one_time_codes(site: Server) -> None:
    user = new_user(site, "cora")
    give_password(site, "cora")
    codes.set_up(site.port, session_token(attempt(site.port, "cora", RIGHT)))
    assert site.cli("user", "password", "cora", "--remove").returncode == 0
    answer = use(site, link(site, user))
    assert (answer.status, answer.all("Set-Cookie")) == (204, [])
    assert attempt(site.port, "cora", PASSWORD).code == "otp_required"


def test_a_browser_uses_an_invite_by_its_form(site: Server) -> None:
    path = link(site, new_user(site, "beth"))
    answer = use_form(site, path, username="beth")
    assert (answer.status, answer["Location"]) == (302, "/")
    assert len(answer.all("Set-Cookie")) == 2
    assert attempt(site.port, "beth", PASSWORD).status == 200


def test_a_reset_replaces_the_password_and_ends_all_sessions(site: Server) -> None:
    user = new_user(site, "cleo")
    give_password(site, "cleo")
    token = session_token(attempt(site.port, "cleo", RIGHT))
    path = link(site, user, "reset")
    assert ask(site.port, "/auth/me", headers=bearer(token)).status == 200
    assert use(site, path).status == 204
    ended = ask(site.port, "/auth/me", headers=bearer(token))
    assert (ended.status, ended.code) == (401, "token_revoked")
    assert attempt(site.port, "cleo", RIGHT).status == 401
    assert attempt(site.port, "cleo", PASSWORD).status == 200
    assert_used_up(site, path)


def test_a_reset_by_the_form_leads_to_the_sign_in(site: Server) -> None:
    answer = use_form(site, link(site, new_user(site, "dora"), "reset"))
    assert answer.status == 200
    assert answer.all("Set-Cookie") == []
    assert "/auth/login" in answer.text


def test_a_reset_clears_the_limits_that_others_caused(site: Server) -> None:
    path = link(site, new_user(site, "elsa"), "reset")
    statuses = [attempt(site.port, "elsa").status for _ in range(6)]
    assert statuses[-1] == 429
    assert use(site, path).status == 204
    assert attempt(site.port, "elsa", PASSWORD).status == 200


def test_a_reset_withdraws_the_earlier_links_of_the_user_and_of_nobody_else(site: Server) -> None:
    user, other = new_user(site, "fay"), link(site, new_user(site, "gwen"))
    earlier = [link(site, user), link(site, user, "reset")]
    path = link(site, user, "reset")
    assert [ask(site.port, each).code for each in earlier] == ["link_invalid"] * 2
    assert use(site, path).status == 204
    assert ask(site.port, other).status == 200


def test_a_new_password_withdraws_all_links_of_the_user(site: Server) -> None:
    user = new_user(site, "hana")
    first, second = link(site, user), link(site, user)
    assert use(site, first).status == 200
    later = link(site, user)
    assert ask(site.port, second).code == "link_invalid"
    give_password(site, "hana")
    assert ask(site.port, later).code == "link_invalid"


def test_an_invite_that_replaces_a_password_ends_the_sessions(site: Server) -> None:
    user = new_user(site, "iris")
    give_password(site, "iris")
    token = session_token(attempt(site.port, "iris", RIGHT))
    answer = use(site, link(site, user))
    assert (answer.status, answer.all("Set-Cookie")) == (204, [])
    assert ask(site.port, "/auth/me", headers=bearer(token)).code == "token_revoked"


def test_an_open_invitation_creates_as_many_users_as_it_says(site: Server) -> None:
    path, members = invitation(site, roles=["view_documents"], uses=2, expires_in="7d")
    assert (members["uses"], members["used"], members["roles"]) == (2, 0, ["view_documents"])
    for name in ("judy", "kate"):
        answer = use(site, path, username=name)
        assert answer.status == 200, answer.text
        assert [role["role"] for role in answer.json["roles"]] == ["view_documents"]
    assert_used_up(site, path)
    assert use(site, path, username="lena").code == "link_invalid"
    listed = call(site, "/api/v1/invitations").json
    assert members["id"] not in [each["id"] for each in listed]


def test_open_invitations_are_listed_without_their_links_and_revoked(site: Server) -> None:
    path, members = invitation(site, roles=["view_documents"], uses=3, expires_in=600)
    use(site, path, username="mona")
    (listed,) = [
        each for each in call(site, "/api/v1/invitations").json if each["id"] == members["id"]
    ]
    del members["url"]
    assert listed == {**members, "used": 1}
    assert listed["created_by"] == "admin"
    one = f"/api/v1/invitations/{members['id']}"
    assert call(site, one, "DELETE").status == 204
    assert ask(site.port, path).code == "link_invalid"
    gone = call(site, one, "DELETE")
    assert (gone.status, gone.code) == (404, "invitation_not_found")
    assert attempt(site.port, "mona", PASSWORD).status == 200


@pytest.mark.both_stores
def test_of_twenty_requests_at_once_one_wins(site: Server) -> None:
    name = "nora"
    path = link(site, new_user(site, name))
    secrets = [f"{PASSWORD} number {number}" for number in range(20)]
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda secret: use(site, path, password=secret), secrets))
    won = [each for each, answer in zip(secrets, answers, strict=True) if answer.status == 200]
    assert len(won) == 1
    assert [answer.code for answer in answers if answer.status != 200] == ["link_invalid"] * 19
    assert attempt(site.port, name, won[0]).status == 200


@pytest.mark.both_stores
def test_of_twenty_people_at_once_an_invitation_takes_as_many_as_it_says(site: Server) -> None:
    path, _ = invitation(site, uses=3)
    names = [f"olga-{number}" for number in range(20)]
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda name: use(site, path, username=name), names))
    assert sorted(answer.status for answer in answers) == [200] * 3 + [404] * 17


def test_opening_a_link_changes_nothing_however_often(site: Server) -> None:
    path = link(site, new_user(site, "pia"))
    before = run_sql(site.database, "SELECT * FROM links ORDER BY id")
    for method in ("GET", "HEAD", "GET"):
        assert ask(site.port, path, method, headers=BROWSER).status == 200
    assert run_sql(site.database, "SELECT * FROM links ORDER BY id") == before
    assert use(site, path).status == 200


def test_only_the_hash_is_stored_and_no_log_has_the_secret(site: Server) -> None:
    user = new_user(site, "rosa")
    path = link(site, user)
    secret = path.rpartition("/")[2]
    for each in (path, f"{path}/", f"/AUTH/LINKS/{secret}", f"/auth/links//{secret}"):
        ask(site.port, each)
    ask(site.port, path, "PUT")
    use(site, path)
    rows = run_sql(site.database, "SELECT * FROM links") + run_sql(
        site.database, "SELECT * FROM audit"
    )
    assert secret not in repr(rows)
    log = site.log(until="link_use")
    assert secret not in log
    assert "/auth/links/{secret}" in log


def test_each_step_is_in_the_audit(site: Server) -> None:
    user = new_user(site, "sara")
    use(site, link(site, user))
    found = call(site, f"/api/v1/audit?user={user}").json
    steps = [(each["action"], each["actor"]["name"]) for each in reversed(found)]
    assert steps == [
        ("user_create", "admin"),
        ("link_create", "admin"),
        ("link_use", "link:invite"),
        ("password_set", "link:invite"),
    ]
    assert found[1]["detail"]["purpose"] == "invite"


def test_who_is_signed_in_as_another_user_is_told(site: Server) -> None:
    path = link(site, new_user(site, "tess"))
    page = ask(site.port, path, headers={**BROWSER, **cookie(sign_in(site.port))})
    assert "You are signed in as <strong>admin</strong>" in page.text


def assert_used_up(site: Server, path: str) -> None:
    """Assert that a link is no different from one that never existed."""
    never = "/auth/links/" + "0" * 64
    for method in ("GET", "POST"):
        answers = [ask(site.port, each, method) for each in (path, never)]
        assert {answer.status for answer in answers} == {404}
        assert {answer.body for answer in answers} == {answers[0].body}
        assert answers[0].code == "link_invalid"
