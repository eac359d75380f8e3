"""One's own password: who may change it, what is refused, which sessions end, and the page."""

import base64
import json
import re
from collections.abc import Iterator, Mapping
from urllib.parse import urlencode

import pytest

from tests.support import pages
from tests.support.client import BROWSER, Answer, ask, bearer, cookie, sign_in
from tests.support.description import assert_documented, operations
from tests.support.passwords import (
    RIGHT,
    aged,
    attempt,
    give_password,
    quick_hashes,
    session_token,
    set_cookie,
    stretch_delays,
)
from tests.support.servers import Running, Server, Start
from tests.support.stores import Store

__all__ = ["quick_hashes"]

PATH = "/auth/account/password"
PAGE = "/account/password"
NEW = "Wednesday snow on 3 trees"
SAME = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture(scope="module")
def site(running: Running, store: Store, quick_hashes: None) -> Server:  # noqa: ARG001  # before the server starts
    """Return a server with passwords, on which admin and user have one."""
    server = running.start(store, PASSWORD_AUTH="true", TRUSTED_PROXIES="127.0.0.1/32")
    for username in ("admin", "user"):
        give_password(server, username)
    return server


@pytest.fixture(autouse=True)
def cleared(site: Server) -> Iterator[None]:
    yield
    for username in ("admin", "user"):
        site.cli("limits", "clear", username)


def post(server: Server, token: str, body: object, headers: Mapping[str, str] = SAME) -> Answer:
    """Set one's password as a script of our pages does."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = {"Content-Type": "application/json", **cookie(token), **headers}
    return ask(server.port, PATH, "POST", headers=sent, body=data)


def post_form(server: Server, token: str, **fields: str) -> Answer:
    """Send the form of the page."""
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    headers = {**BROWSER, **SAME, **kind, **cookie(token)}
    return ask(server.port, PATH, "POST", headers=headers, body=urlencode(fields).encode())


def status(server: Server, token: str) -> int:
    return ask(server.port, "/auth/me", headers=bearer(token)).status


@pytest.mark.both_stores
def test_every_other_session_ends_and_the_own_one_goes_on(site: Server) -> None:
    own, other = sign_in(site.port, "contributor"), sign_in(site.port, "contributor")
    answer = post(site, own, {"password": NEW})
    assert (answer.status, answer.body) == (204, b"")
    fresh = session_token(answer)
    assert [status(site, each) for each in (own, other, fresh)] == [401, 401, 200]
    before, after = claims(own), claims(fresh)
    assert {name for name in before if before[name] != after[name]} <= {"jti", "ver", "iat"}
    attributes = set_cookie(answer, "jwt").split("; ")
    assert {"HttpOnly", "Secure", "SameSite=Strict", "Path=/"} < set(attributes)
    assert attempt(site.port, "contributor", NEW).status == 200


def claims(token: str) -> dict[str, object]:
    """Return the claims as the service shows them in a token of the same session."""
    found: dict[str, object] = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    return found


def test_the_new_token_has_the_roles_of_now(site: Server) -> None:
    assert site.cli("user", "create", "eve", "--role", "view_documents").returncode == 0
    own = sign_in(site.port, "eve")
    assert site.cli("role", "grant", "eve", "manage_documents").returncode == 0
    fresh = session_token(post(site, own, {"password": NEW}))
    assert "manage_documents" in json.dumps(claims(fresh)["roles"])


def test_an_old_sign_in_needs_the_current_password(site: Server) -> None:
    give_password(site, "user")
    old = aged(sign_in(site.port, "user"))
    for body in ({"password": NEW}, {"password": NEW, "current": "Tuesday rain on 15 roofs"}):
        answer = post(site, old, body)
        assert (answer.status, answer.code) == (403, "reauthentication_required")
    assert status(site, old) == 200
    assert post(site, old, {"password": NEW, "current": RIGHT}).status == 204
    assert attempt(site.port, "user", NEW).status == 200


def test_nine_minutes_are_recent_and_eleven_are_not(site: Server) -> None:
    token = sign_in(site.port, "manager")
    assert post(site, aged(token, 660), {"password": NEW}).code == "reauthentication_required"
    assert post(site, aged(token, 540), {"password": NEW}).status == 204


def test_without_a_password_an_old_sign_in_cannot_set_one(site: Server) -> None:
    assert site.cli("user", "create", "plain").returncode == 0
    old = aged(sign_in(site.port, "plain"))
    answer = post(site, old, {"password": NEW, "current": RIGHT})
    assert (answer.status, answer.code) == (403, "reauthentication_required")
    page = ask(site.port, PAGE, headers={**BROWSER, **cookie(old)})
    assert page.status == 302
    assert page["Location"] == "/auth/login?next=%2Faccount%2Fpassword&again=1"
    there = ask(site.port, page["Location"], headers={**BROWSER, **cookie(old)})
    assert "<h1>Sign in again</h1>" in there.text
    assert 'name="next" value="/account/password"' in there.text


def test_guesses_at_the_current_password_are_limited(site: Server) -> None:
    give_password(site, "user")
    old = aged(sign_in(site.port, "user"))
    wrong = {"password": NEW, "current": "a wrong one"}
    answers = [post(site, old, wrong) for _ in range(6)]
    assert [answer.status for answer in answers] == [403] * 5 + [429]
    stretch_delays(site)
    assert post(site, old, {**wrong, "current": RIGHT}).code == "too_many_attempts"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 422, "validation_error"),
        ([], 422, "validation_error"),
        ({"password": ""}, 422, "validation_error"),
        ({"password": None}, 422, "validation_error"),
        ({"password": 15}, 422, "validation_error"),
        ({"password": [NEW]}, 422, "validation_error"),
        ({"password": "too short"}, 422, "validation_error"),
        ({"password": "x" * 257}, 422, "validation_error"),
        ({"password": "x" * 60_000}, 422, "validation_error"),
        ({"password": "passwordpassword"}, 422, "validation_error"),
        ({"password": "123456789012345"}, 422, "validation_error"),
        ({"password": "admin-admin-admin"}, 422, "validation_error"),
        ({"password": "Latchkey2026!!!"}, 422, "validation_error"),
        ({"password": "e\u0301" * 14}, 422, "validation_error"),
        ({"password": NEW, "current": ""}, 422, "validation_error"),
        ({"password": NEW, "current": "x" * 257}, 422, "validation_error"),
        ({"password": NEW, "current": 1}, 422, "validation_error"),
        ({"password": NEW, "role": "x"}, 422, "validation_error"),
        ({"password": NEW, "username": "user"}, 422, "validation_error"),
        (b"", 400, "json_invalid"),
        (b'{"password": "\\udc00 is half a pair, and long"}', 400, "json_invalid"),
        (b'{"password": "x", "password": "y"}', 400, "json_invalid"),
        (b"\xff", 400, "json_invalid"),
        (b"[" * 50_000, 400, "json_invalid"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_is_refused_changes_nothing(
    site: Server, body: object, status: int, code: str
) -> None:
    token = sign_in(site.port)
    answer = post(site, token, body)
    assert (answer.status, answer.code) == (status, code)
    assert answer.all("Set-Cookie") == []
    assert ask(site.port, "/auth/me", headers=bearer(token)).status == 200
    assert attempt(site.port, "admin", RIGHT).status == 200


def test_another_site_and_a_stranger_cannot_set_it(site: Server) -> None:
    token = sign_in(site.port)
    answer = post(site, token, {"password": NEW}, {"Sec-Fetch-Site": "cross-site"})
    assert (answer.status, answer.code) == (403, "cross_site_request")
    assert post(site, "bad", {"password": NEW}).status == 401
    assert ask(site.port, PAGE, headers=BROWSER).status == 401
    assert attempt(site.port, "admin", RIGHT).status == 200


def test_a_disabled_or_ended_session_cannot_set_it(site: Server) -> None:
    assert site.cli("user", "create", "gone").returncode == 0
    ended, token = sign_in(site.port, "gone"), sign_in(site.port, "gone")
    assert ask(site.port, "/auth/logout", "POST", headers=bearer(ended)).status == 302
    assert post(site, ended, {"password": NEW}).code == "token_revoked"
    assert site.cli("user", "disable", "gone").returncode == 0
    assert post(site, token, {"password": NEW}).code == "token_revoked"


def test_it_is_in_the_audit_and_in_no_log(site: Server) -> None:
    token = sign_in(site.port)
    assert post(site, token, {"password": NEW, "current": RIGHT}).status == 204
    entry, *_ = json.loads(site.cli("audit", "list", "--action", "password_set", "--json").stdout)
    assert (entry["actor"]["name"], entry["target"]["name"]) == ("admin", "admin")
    log = site.log("password_set")
    assert NEW not in log
    assert RIGHT not in log
    give_password(site, "admin")


def test_the_page_asks_for_the_current_password_only_if_it_is_needed(site: Server) -> None:
    token = sign_in(site.port)
    recent = pages.read(ask(site.port, PAGE, headers={**BROWSER, **cookie(token)}).text)
    assert recent.focused == "password"
    assert [each.get("autocomplete") for each in recent.inputs] == ["username", "new-password"]
    old = pages.read(ask(site.port, PAGE, headers={**BROWSER, **cookie(aged(token))}).text)
    assert [each.get("autocomplete") for each in old.inputs] == [
        "username",
        "current-password",
        "new-password",
    ]
    assert old.focused == "current"
    assert "/auth/login?next=%2Faccount%2Fpassword&again=1" in old.links.values()


def test_the_form_leads_to_the_account_and_shows_faults_beside_the_field(site: Server) -> None:
    give_password(site, "user")
    old = aged(sign_in(site.port, "user"))
    refused = post_form(site, old, current="a wrong one", password=NEW)
    assert refused.status == 403
    page = pages.read(refused.text)
    assert page.faults() == {"current": "The current password is wrong."}
    assert page.focused == "current"
    missing = pages.read(post_form(site, old, password=NEW).text)
    assert missing.faults()["current"].startswith("Your sign-in was more than 10 minutes ago.")
    short = post_form(site, old, current=RIGHT, password="too short")
    assert short.status == 422
    page = pages.read(short.text)
    assert page.faults() == {"password": "The new password must have at least 15 characters."}
    assert page.focused == "password"
    assert "too short" not in short.text
    done = post_form(site, old, current=RIGHT, password=NEW)
    assert (done.status, done["Location"]) == (303, "/account?done=password-set")
    there = ask(site.port, done["Location"], headers={**BROWSER, **cookie(session_token(done))})
    assert "The password was saved." in there.text


def test_without_a_password_the_form_leads_to_the_sign_in(site: Server) -> None:
    assert site.cli("user", "create", "plainer").returncode == 0
    refused = post_form(site, aged(sign_in(site.port, "plainer")), password=NEW)
    assert refused.status == 403
    page = pages.read(refused.text)
    assert page.alerts
    assert "/auth/login?next=%2Faccount%2Fpassword&again=1" in page.links.values()


def test_it_is_absent_while_passwords_are_off(start: Start) -> None:
    server = start()
    token = sign_in(server.port)
    answer = post(server, token, {"password": NEW})
    assert (answer.status, answer.code) == (404, "not_found")
    assert ask(server.port, PAGE, headers=cookie(token)).status == 404
    page = ask(server.port, "/account", headers={**BROWSER, **cookie(token)})
    assert page.status == 200
    assert "password" not in page.text.lower()


def test_each_documented_answer_comes_and_each_that_comes_is_documented(site: Server) -> None:
    give_password(site, "user")
    document = ask(site.port, "/openapi.json").json
    token = sign_in(site.port, "user")
    old = aged(token)
    wrong = {"password": NEW, "current": "a wrong one"}
    answers = [
        post(site, token, {"password": "short"}),
        post(site, token, b"{"),
        post(site, token, {"password": NEW}, {"Content-Type": "text/plain"}),
        post(site, token, {"password": NEW}, {"Sec-Fetch-Site": "cross-site"}),
        post(site, "bad", {"password": NEW}),
        post_form(site, token, password="short"),
        *(post(site, old, wrong) for _ in range(6)),
        post(site, token, {"password": NEW}),
    ]
    token = session_token(answers[-1])
    answers.append(post_form(site, token, password=RIGHT))
    for answer in answers:
        assert_documented(document, "POST", PATH, answer)
    documented = operations(document)["POST", PATH]["responses"].keys()
    elsewhere = {"408", "413", "414", "417", "431", "500", "503"}  # of every route
    assert documented - {str(answer.status) for answer in answers} == elsewhere
    token = session_token(answers[-1])
    assert site.cli("user", "password", "user", "--remove").returncode == 0
    fresh = sign_in(site.port, "user")
    for each in (fresh, aged(fresh), token):
        shown = ask(site.port, PAGE, headers={**BROWSER, **cookie(each)})
        assert_documented(document, "GET", PAGE, shown)
    assert re.search(
        r'<script src="/static/password\.js',
        ask(site.port, PAGE, headers={**BROWSER, **cookie(fresh)}).text,
    )
