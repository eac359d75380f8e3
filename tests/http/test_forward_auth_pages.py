"""Pages of `/auth/verify` for people, and whose bearer token counts."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.support.client import BROWSER, Answer, ask, bearer, cookie, sign_in
from tests.support.forwarded import DIALECTS, PUBLIC, behind, verify
from tests.support.servers import Server

__all__ = ["behind"]

STORES = ("sqlite",)  # no store has a part in this

PERSON = {**BROWSER, "Sec-Fetch-Mode": "navigate"}
APP = "https://app.example.org"
PATHS = ("/auth/verify", "/oauth2/auth")


def links(answer: Answer) -> dict[str, str]:
    found = re.findall(r'<a[^>]* href="([^"]*)"[^>]*>([^<]+)</a>', answer.text)
    return {text: address.replace("&amp;", "&") for address, text in found}


def posted(proxy: str) -> dict[str, str]:
    return {name: "POST" if "Method" in name else value for name, value in DIALECTS[proxy].items()}


@pytest.mark.parametrize("proxy", DIALECTS)
@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("&role=manage_users", "You do not have the role <code>manage_users</code>."),
        (
            "&role=manage_users&role=editor",
            "You need one of these roles: <code>editor</code>, <code>manage_users</code>.",
        ),
        (
            "&role=manage_users&role=view_documents&all=1",
            "You do not have the role <code>manage_users</code>.",
        ),
        (
            "&role=manage_users&role=view_documents&role=editor&all=1",
            "You do not have the roles <code>editor</code>, <code>manage_users</code>.",
        ),
    ],
)
def test_who_lacks_a_role_learns_which_and_what_to_do(
    behind: Server, proxy: str, query: str, told: str
) -> None:
    token = sign_in(behind.port, "user")
    answer = verify(behind, f"?proxy={proxy}{query}", **DIALECTS[proxy], **PERSON, **cookie(token))
    assert (answer.status, answer["Content-Type"]) == (403, "text/html; charset=utf-8")
    assert "You are signed in as <strong>user</strong>" in answer.text
    assert told in answer.text
    found = links(answer)
    assert found["Sign out"] == f"{PUBLIC}/auth/logout"
    other = urlsplit(found["Use another account"])
    assert f"{other.scheme}://{other.netloc}{other.path}" == f"{PUBLIC}/auth/login"
    (back,) = parse_qs(other.query)["next"]
    assert back.startswith(f"{APP}/deep/link?a=1")


@pytest.mark.parametrize("proxy", DIALECTS)
def test_a_second_cookie_is_named_instead_of_a_sign_in_that_would_not_help(
    behind: Server, proxy: str
) -> None:
    """An application may have a cookie of that name: after each sign-in there are two again."""
    cookies = f"jwt={sign_in(behind.port)}; jwt=of-the-application"
    asked = {**DIALECTS[proxy], **PERSON, "Cookie": cookies}
    answer = verify(behind, f"?proxy={proxy}", **asked)
    assert answer.status == 401
    assert answer.all("Location") == []
    assert "More than one session cookie" in answer.text
    assert behind.log(until="cookie_name_shared").count("setting=COOKIE_NAME") == 1


@pytest.mark.parametrize("proxy", DIALECTS)
def test_a_form_of_a_signed_out_person_gets_a_page(behind: Server, proxy: str) -> None:
    answer = verify(behind, f"?proxy={proxy}", **posted(proxy), **PERSON)
    assert (answer.status, answer["Content-Type"]) == (401, "text/html; charset=utf-8")
    assert answer["WWW-Authenticate"] == "Bearer"
    assert "send the form again" in answer.text
    assert links(answer)["Sign in"] == f"{PUBLIC}/auth/login"


@pytest.mark.parametrize("proxy", DIALECTS)
def test_the_page_loads_nothing_from_the_application(behind: Server, proxy: str) -> None:
    token = sign_in(behind.port, "user")
    for query, headers in (
        (f"?proxy={proxy}&role=x", cookie(token)),
        (f"?proxy={proxy}", posted(proxy)),
        (f"?proxy={proxy}&unknown=1", {}),
    ):
        answer = verify(behind, query, **{**DIALECTS[proxy], **PERSON, **headers})
        assert answer.status in {401, 403}
        for address in re.findall(r'(?:href|src|action)="([^"]*)"', answer.text):
            assert address.startswith(f"{PUBLIC}/"), address
        assert answer["Content-Security-Policy"] == (
            f"default-src 'none'; style-src {PUBLIC}; img-src {PUBLIC}; form-action 'none';"
            " base-uri 'none'; frame-ancestors 'none'"
        )
        assert answer["Vary"] == "Cookie, Authorization"


@pytest.mark.parametrize("proxy", DIALECTS)
@pytest.mark.parametrize(
    "headers",
    [{}, {"Accept": "application/json"}, {**BROWSER, "Sec-Fetch-Mode": "cors"}],
    ids=repr,
)
def test_programs_get_no_page(behind: Server, proxy: str, headers: dict[str, str]) -> None:
    token = sign_in(behind.port, "user")
    answer = verify(behind, f"?proxy={proxy}&role=x", **DIALECTS[proxy], **headers, **cookie(token))
    assert (answer.status, answer.body) == (403, b"")


def test_an_address_that_is_not_ours_is_no_link(behind: Server) -> None:
    token = sign_in(behind.port, "user")
    for url in ("https://evil.example/", f"{APP}/{'a' * 9000}", 'https://app.example.org"><b>/'):
        headers = {"X-Original-Method": "GET", "X-Original-URL": url}
        answer = verify(behind, "?proxy=nginx&role=x", **headers, **PERSON, **cookie(token))
        if answer.status == 403 and "role_missing" in answer.text:
            other = f"{PUBLIC}/auth/login?prompt=select_account"
            assert links(answer)["Use another account"] == other
        assert "evil" not in answer.text
        assert "<b>" not in answer.text


def test_our_own_pages_say_the_same(behind: Server) -> None:
    token = sign_in(behind.port, "user")
    answer = ask(behind.port, "/admin", headers={**PERSON, **cookie(token)})
    assert answer.status == 403
    assert "signed in as <strong>user</strong>" in answer.text
    assert "<code>manage_users</code>" in answer.text
    assert links(answer)["Sign out"] == "/auth/logout"
    other = "/auth/login?next=%2Fadmin&prompt=select_account"
    assert links(answer)["Use another account"] == other


# Applications whose clients send bearer tokens of their own


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("foreign", ["nonsense", "a.b.c", "", "x" * 30_000])
def test_with_credential_cookie_only_the_cookie_counts(
    behind: Server, path: str, foreign: str
) -> None:
    user, admin = sign_in(behind.port, "user"), sign_in(behind.port, "admin")
    other = {"Authorization": f"Bearer {foreign}"}
    both = {**cookie(user), **other}
    assert ask(behind.port, path, headers=both).status == 401
    answer = ask(behind.port, f"{path}?credential=cookie", headers=both)
    assert (answer.status, answer["Remote-User"]) == (200, "user")
    mixed = {**cookie(user), **bearer(admin)}
    answer = ask(behind.port, f"{path}?credential=cookie&role=view_documents", headers=mixed)
    assert (answer.status, answer["Remote-User"]) == (200, "user")
    for alone in (other, bearer(admin)):
        answer = ask(behind.port, f"{path}?credential=cookie", headers=alone)
        assert (answer.status, answer.code) == (401, "credentials_missing")


def test_a_bad_cookie_is_refused_as_ever(behind: Server) -> None:
    user = sign_in(behind.port, "user")
    for value, code in (
        (f"jwt={user}x", "token_invalid"),
        (f"jwt={user}; jwt=x", "cookie_ambiguous"),
    ):
        answer = verify(behind, "?credential=cookie", Cookie=value, **bearer(user))
        assert (answer.status, answer.code) == (401, code)


@pytest.mark.parametrize(
    "query",
    [
        "credential=",
        "credential=bearer",
        "credential=Cookie",
        "credential=cookie&credential=cookie",
    ],
)
def test_no_other_credential_can_be_asked_for(behind: Server, query: str) -> None:
    answer = verify(behind, f"?{query}", **cookie(sign_in(behind.port, "user")))
    assert (answer.status, answer.code) == (403, "forward_invalid")


# A second cookie of the session's name, which no sign-in removes


@pytest.mark.parametrize("proxy", DIALECTS)
def test_two_session_cookies_get_a_page_and_no_circle(behind: Server, proxy: str) -> None:
    two = {"Cookie": f"jwt=of-the-application; jwt={sign_in(behind.port, 'user')}"}
    for _ in range(2):
        answer = verify(behind, f"?proxy={proxy}", **DIALECTS[proxy], **PERSON, **two)
        assert (answer.status, answer["Content-Type"]) == (401, "text/html; charset=utf-8")
        assert "Location" not in dict(answer.headers)
        assert "several cookies named <code>jwt</code>" in answer.text
        assert "sets a cookie of this name" in answer.text
    program = verify(behind, f"?proxy={proxy}", **DIALECTS[proxy], **two)
    assert (program.status, program.body) == (401, b"")
    log = behind.log(until=program["X-Request-ID"])
    told = "warning cookie_name_shared host=app.example.org setting=COOKIE_NAME"
    assert log.count(told) == 1


def test_without_the_second_cookie_the_way_in_is_shown_again(behind: Server) -> None:
    bad = {"Cookie": "jwt=of-the-application"}
    answer = verify(behind, "?proxy=nginx", **DIALECTS["nginx"], **PERSON, **bad)
    assert answer["Location"].startswith(f"{PUBLIC}/auth/login?next=")
