"""Sign-in by password: the two forms of the request, and what every refusal looks like."""

import re
import time

import pytest

from tests.support.client import BROWSER, Answer, ask, bearer
from tests.support.description import assert_documented, operations
from tests.support.passwords import (
    PATH,
    RIGHT,
    attempt,
    by_form,
    by_json,
    give_password,
    quick_hashes,
    session_token,
    set_cookie,
)
from tests.support.servers import Running, Server, Start
from tests.support.stores import Store

__all__ = ["quick_hashes"]


@pytest.fixture(scope="module")
def site(running: Running, store: Store, quick_hashes: None) -> Server:  # noqa: ARG001  # before the server starts
    """Return a server with passwords, on which admin and user have one; `manager` is disabled."""
    server = running.start(store, PASSWORD_AUTH="true", TRUSTED_PROXIES="127.0.0.1/32")
    for username in ("admin", "manager"):
        give_password(server, username)
    assert server.cli("user", "disable", "manager").returncode == 0
    return server


def test_a_program_signs_in_and_gets_the_cookie_and_itself(site: Server) -> None:
    answer = by_json(site.port, {"username": "admin", "password": RIGHT})
    assert answer.status == 200
    value, *attributes = set_cookie(answer, "jwt").split("; ")
    assert sorted(attributes) == sorted(
        ["HttpOnly", "Secure", "SameSite=Strict", "Path=/", "Max-Age=21600"]
    )
    token = value.removeprefix("jwt=")
    me = ask(site.port, "/auth/me", headers=bearer(token)).json
    assert answer.json == me
    assert (me["username"], me["method"]) == ("admin", "password")


def test_a_browser_signs_in_by_the_form_and_lands_where_it_wanted(site: Server) -> None:
    answer = by_form(site.port, username="Admin", password=RIGHT, next="/auth/me")
    assert (answer.status, answer["Location"]) == (302, "/auth/me")
    assert set_cookie(answer, "jwt").startswith("jwt=ey")


@pytest.mark.parametrize(
    "location", ["https://evil.example", "//evil.example", "/auth/logout", "javascript:alert(1)"]
)
def test_next_leads_nowhere_else(site: Server, location: str) -> None:
    assert by_form(site.port, username="admin", password=RIGHT, next=location)["Location"] == "/"


def from_network(number: int) -> dict[str, str]:
    """Return the headers of a client in a network of its own."""
    return {"X-Forwarded-For": f"198.51.{number}.7"}


@pytest.mark.parametrize("accept", [{}, BROWSER], ids=["program", "browser"])
def test_every_wrong_combination_has_the_same_answer(site: Server, accept: dict[str, str]) -> None:
    combinations = {
        "wrong password": ("admin", "Tuesday rain on 15 roofs"),
        "unknown": ("nobody", RIGHT),
        "disabled": ("manager", RIGHT),
        "without a password": ("contributor", RIGHT),
        "impossible": ("no such name!", RIGHT),
    }
    answers = [
        by_json(
            site.port,
            {"username": username, "password": password},
            {**accept, **from_network(10 + number)},
        )
        for number, (username, password) in enumerate(combinations.values())
    ]
    assert [answer.status for answer in answers] == [401] * len(answers)
    assert len({comparable(answer) for answer in answers}) == 1
    assert answers[0]["WWW-Authenticate"] == "Bearer"
    if not accept:
        assert answers[0].code == "credentials_invalid"


def comparable(answer: Answer) -> tuple[object, ...]:
    """Return all of an answer but what is different each time."""
    headers = [pair for pair in answer.headers if pair[0] not in {"X-Request-ID", "Date"}]
    return answer.status, tuple(headers), re.sub(rb"[0-9a-f]{16}", b"", answer.body)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 422, "validation_error"),
        ({"username": "admin"}, 422, "validation_error"),
        ({"password": RIGHT}, 422, "validation_error"),
        ({"username": "", "password": RIGHT}, 422, "validation_error"),
        ({"username": "admin", "password": ""}, 422, "validation_error"),
        ({"username": "admin", "password": "x" * 257}, 422, "validation_error"),
        ({"username": "admin", "password": "e\u0301" * 200}, 422, "validation_error"),
        ({"username": "admin", "password": "x" * 60_000}, 422, "validation_error"),
        ({"username": "admin", "password": None}, 422, "validation_error"),
        ({"username": "admin", "password": [RIGHT]}, 422, "validation_error"),
        ({"username": ["admin"], "password": RIGHT}, 422, "validation_error"),
        ({"username": 1, "password": RIGHT}, 422, "validation_error"),
        ({"username": "a" * 257, "password": RIGHT}, 422, "validation_error"),
        ({"username": "admin", "password": RIGHT, "role": "x"}, 422, "validation_error"),
        ({"username": "admin", "password": RIGHT, "remember": "yes"}, 422, "validation_error"),
        ({"username": "admin", "password": RIGHT, "next": 1}, 422, "validation_error"),
        ([], 422, "validation_error"),
        ("admin", 422, "validation_error"),
        (b"", 400, "json_invalid"),
        (b"{", 400, "json_invalid"),
        (b'{"username": "admin", "password": "\\ud800 is half a pair"}', 400, "json_invalid"),
        (b'{"username": "admin", "username": "user", "password": "x"}', 400, "json_invalid"),
        (b"\xff", 400, "json_invalid"),
        (b"[" * 50_000, 400, "json_invalid"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_is_no_attempt_is_refused_before_hashing(
    site: Server, body: object, status: int, code: str
) -> None:
    answer = by_json(site.port, body)
    assert (answer.status, answer.code) == (status, code)
    assert RIGHT not in answer.text
    assert answer.all("Set-Cookie") == []


@pytest.mark.parametrize(
    ("headers", "body", "status", "code"),
    [
        ({"Content-Type": "text/plain"}, b"{}", 415, "content_type_unsupported"),
        ({"Content-Type": "multipart/form-data; boundary=x"}, b"", 415, "content_type_unsupported"),
        (
            {"Content-Type": "application/x-www-form-urlencoded"},
            b"username=admin&password=%FF",
            400,
            "form_invalid",
        ),
        (
            {"Content-Type": "application/x-www-form-urlencoded"},
            b"username=admin&username=user&password=x",
            422,
            "validation_error",
        ),
    ],
)
def test_other_bodies_are_refused(
    site: Server, headers: dict[str, str], body: bytes, status: int, code: str
) -> None:
    answer = ask(site.port, PATH, "POST", headers=headers, body=body)
    assert (answer.status, answer.code) == (status, code)


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
)
def test_another_site_cannot_sign_a_visitor_in(site: Server, headers: dict[str, str]) -> None:
    answer = by_json(site.port, {"username": "admin", "password": RIGHT}, headers)
    assert (answer.status, answer.code) == (403, "cross_site_request")


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE"])
def test_only_post_signs_in(site: Server, method: str) -> None:
    answer = ask(site.port, f"{PATH}?username=admin&password=x", method)
    assert answer.status == 405


def test_a_form_that_fails_is_shown_again_without_the_password(site: Server) -> None:
    answer = by_form(
        site.port, from_network(40), username="Grace<b>", password="a wrong one", next="/auth/me"
    )
    assert answer.status == 401
    assert 'value="Grace&lt;b&gt;"' in answer.text
    assert 'name="next" value="/auth/me"' in answer.text
    assert 'role="alert"' in answer.text
    assert "a wrong one" not in answer.text


def test_a_password_is_the_same_however_a_keyboard_composes_it(site: Server) -> None:
    give_password(site, "contributor", "Zoë und fünf Äpfel im Öl")
    composed = attempt(site.port, "contributor", "Zoe\u0308 und fu\u0308nf A\u0308pfel im O\u0308l")
    assert composed.status == 200


def test_the_sign_in_page_has_the_form_only_while_passwords_are_on(
    site: Server, start: Start
) -> None:
    assert 'action="/auth/password"' in ask(site.port, "/auth/login", headers=BROWSER).text
    without = start()
    assert "password" not in ask(without.port, "/auth/login", headers=BROWSER).text.replace(
        "no password is needed", ""
    )
    answer = by_json(without.port, {"username": "admin", "password": RIGHT})
    assert (answer.status, answer.code) == (404, "not_found")


def test_a_new_password_ends_the_sessions_and_the_old_password(site: Server) -> None:
    other = "Wednesday snow on 3 trees"
    give_password(site, "user")
    token = session_token(attempt(site.port, "user", RIGHT))
    assert ask(site.port, "/auth/me", headers=bearer(token)).status == 200
    give_password(site, "user", other)
    deadline = time.monotonic() + 10
    while ask(site.port, "/auth/me", headers=bearer(token)).status == 200:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert attempt(site.port, "user", RIGHT, **from_network(50)).status == 401
    assert attempt(site.port, "user", other).status == 200


def test_each_documented_answer_comes_and_each_that_comes_is_documented(site: Server) -> None:
    document = ask(site.port, "/openapi.json").json
    right = {"username": "admin", "password": RIGHT}
    answers = [
        by_json(site.port, right, from_network(60)),
        by_form(site.port, from_network(60), **right),
        by_form(site.port, from_network(60), username="admin", password="wrong"),
        by_json(site.port, {**right, "username": "nobody"}, from_network(60)),
        by_json(site.port, {}, from_network(60)),
        by_json(site.port, b"{", from_network(60)),
        by_json(site.port, right, {"Content-Type": "text/plain"}),
        by_json(site.port, right, {"Sec-Fetch-Site": "cross-site"}),
        *(attempt(site.port, "limited", **from_network(61 + number)) for number in range(6)),
    ]
    for answer in answers:
        assert_documented(document, "POST", PATH, answer)
    documented = operations(document)["POST", PATH]["responses"].keys()
    elsewhere = {"408", "413", "414", "417", "431", "500", "503"}  # of every route
    assert documented - {str(answer.status) for answer in answers} == elsewhere
