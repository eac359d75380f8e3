"""Errors that an OpenID provider returns to the callback, and facts that cannot be used."""

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.http.test_provider_answers import come_back, refusals
from tests.support import openid
from tests.support.client import BROWSER, Answer, ask
from tests.support.description import assert_documented
from tests.support.evil import SUBJECT, Evil, begin
from tests.support.openid_sign_in import RSA, evil, quiet, server, settings_for
from tests.support.servers import Server, Start

__all__ = ["evil", "quiet", "server"]

STORES = ("sqlite",)  # no store has a part in this
EXPIRED = {"error": "temporarily_unavailable", "error_description": "authentication_expired"}


def fail(server: Server, *, path: str = "/auth/oidc", **error: str) -> tuple[Answer, list[str]]:
    """Come back with an error. Return the answer, and the names of its attempt's cookies."""
    attempt = begin(server.port, path)
    return attempt.come_back(attempt.good(code="", **error), **BROWSER), list(attempt.cookies)


# --- Errors in the callback ----------------------------------------------------------------------


def test_a_login_page_that_has_expired_is_opened_again_at_once(server: Server) -> None:
    answer, (cookie,) = fail(server, path="/auth/oidc?next=/deep", **EXPIRED)
    assert answer.status == 302
    parts = urlsplit(answer["Location"])
    assert (parts.netloc, parts.path) == ("", "/auth/oidc")
    assert parse_qs(parts.query) == {"next": ["/deep"], "retry": ["1"]}
    (line,) = answer.all("Set-Cookie")
    assert line.startswith(f"{cookie}=;")
    document = ask(server.port, "/openapi.json").json
    assert_documented(document, "GET", "/auth/oidc/callback", answer)
    log = server.log(until=answer["X-Request-ID"])
    assert "openid_denied provider=oidc error=temporarily_unavailable asks_again=True" in log


def test_the_second_attempt_goes_on_to_the_place_and_is_not_repeated(
    server: Server, evil: Evil
) -> None:
    answer, _ = fail(server, path="/auth/oidc?next=/deep", **EXPIRED)
    again = begin(server.port, answer["Location"])
    evil.answers(RSA.sign(evil.claims(again)))
    done = again.come_back(again.good())
    assert (done.status, done["Location"]) == (302, "/deep")
    page, _ = fail(server, path=answer["Location"], **EXPIRED)
    assert page.status == 503
    assert "responded that it cannot handle the request" in page.text
    assert 'href="/auth/oidc?next=%2Fdeep">Try again</a>' in page.text


@pytest.mark.parametrize(
    "error",
    [
        {"error": "temporarily_unavailable", "error_description": "authentication_expired "},
        {"error": "temporarily_unavailable", "error_description": "down for maintenance"},
        {"error": "temporarily_unavailable"},
        {"error": "server_error"},
    ],
    ids=str,
)
def test_a_provider_that_answers_that_it_is_busy_is_not_silent(
    server: Server, error: dict[str, str]
) -> None:
    attempt = begin(server.port)
    answer = attempt.come_back(attempt.good(code="", **error))
    assert (answer.status, answer.code) == (503, "provider_unavailable")
    assert answer.json["detail"].startswith("The provider responded")
    assert f"error={error['error']}" in server.log(until=answer["X-Request-ID"])


@pytest.mark.parametrize(
    ("error", "logged", "helps"),
    [
        ("access_denied", "access_denied", True),
        ("login_required", "login_required", True),
        ("unmet_authentication_requirements", "unmet_authentication_requirements", True),
        ("unsupported_response_type", "unsupported_response_type", False),
        ("invalid_scope", "invalid_scope", False),
        ("unauthorized_client", "unauthorized_client", False),
        ("<script>", "other", True),
        ("e" * 65, "other", True),
        ("two words", "other", True),
    ],
)
def test_the_error_is_in_the_log_and_the_page_says_whether_to_try_again(
    server: Server, error: str, logged: str, *, helps: bool
) -> None:
    attempt = begin(server.port)
    answer = attempt.come_back(attempt.good(code="", error=error))
    assert (answer.status, answer.code) == (401, "sign_in_refused")
    assert f"error={logged} " in server.log(until=answer["X-Request-ID"])
    assert ("Start the sign-in again" in answer.json["detail"]) is helps


# --- Facts that cannot be used -------------------------------------------------------------------


@pytest.fixture(scope="module")
def generous(start: Start, evil: Evil) -> Server:
    """Return a server that creates unknown people."""
    return start(
        **settings_for(
            evil,
            PROVISION_USERS="true",
            OIDC_USERNAME_CLAIM="nick",
            OIDC_ROLES_CLAIM="groups",
            OIDC_ROLES="no_such_role=staff; view_documents=staff",
        )
    )


ADDRESS = {"email_verified": True}
IGNORED: dict[str, tuple[dict[str, Any], str, str]] = {
    "control": ({"name": "Ada\x07"}, "name", "characters"),
    "lines": ({"name": "Ada\r\nRemote-User: admin"}, "name", "characters"),
    "turned": ({"name": "\u202eadA"}, "name", "characters"),
    "long": ({"name": "A" * 201}, "name", '"over 200 characters"'),
    "number": ({"name": 7}, "name", "not_text"),
    "list": ({"name": ["Ada"]}, "name", "not_text"),
    "object": ({"name": {"given": "Ada"}}, "name", "not_text"),
    "no-address": ({**ADDRESS, "email": "ada"}, "email", "not_an_address"),
    "two-addresses": ({**ADDRESS, "email": "a@x.org,b@x.org"}, "email", "not_an_address"),
    "address-number": ({**ADDRESS, "email": 7}, "email", "not_text"),
    "unverified": ({"email": "u@x.org"}, "email", "not_verified"),
    "verified-text": (
        {"email": "t@x.org", "email_verified": "yes"},
        "email",
        "verified_not_boolean",
    ),
}


@pytest.mark.parametrize("nick", IGNORED)
def test_a_fact_that_cannot_be_used_is_logged_without_its_value(
    generous: Server, evil: Evil, nick: str
) -> None:
    claims, claim, reason = IGNORED[nick]
    answer = come_back(generous, evil, sub=nick, nick=nick, groups=[], **claims)
    assert answer.status == 302, answer.text
    (line,) = [line for line in refusals(generous, answer).splitlines() if "fact_ignored" in line]
    assert f"provider=oidc claim={claim} reason={reason} user={nick}" in line
    for value in ("Ada", "adA", "x.org", "Remote-User"):
        assert value not in line
    shown = json.loads(generous.cli("user", "show", nick, "--json").stdout)
    assert shown[claim] is None


def test_a_fact_is_logged_at_each_sign_in_at_which_it_cannot_be_used(
    generous: Server, evil: Evil
) -> None:
    names: list[Any] = ["Ada Lovelace", "Ada\x07", "Ada King"]
    answers = [come_back(generous, evil, sub="f", nick="f", groups=[], name=name) for name in names]
    assert ["fact_ignored" in refusals(generous, each) for each in answers] == [False, True, False]
    shown = json.loads(generous.cli("user", "show", "f", "--json").stdout)
    assert shown["name"] == "Ada King"


def test_facts_that_can_be_used_are_not_logged(generous: Server, evil: Evil) -> None:
    usable: tuple[dict[str, Any], ...] = (
        {},
        {"name": None, "email": None, "email_verified": None},
        {"name": "Ada Łovelace-Ђ", "email": "ada@example.org", "email_verified": True},
        {"name": ""},
    )
    for number, claims in enumerate(usable):
        nick = f"plain{number}"
        answer = come_back(generous, evil, sub=nick, nick=nick, groups=[], **claims)
        assert "fact_ignored" not in refusals(generous, answer)
    shown = json.loads(generous.cli("user", "show", "plain2", "--json").stdout)
    assert (shown["name"], shown["email"]) == ("Ada Łovelace-Ђ", "ada@example.org")


def test_a_role_that_does_not_exist_is_logged(generous: Server, evil: Evil) -> None:
    answer = come_back(generous, evil, sub="r", nick="r", groups=["staff"])
    assert "roles_missing provider=oidc roles=no_such_role user=r" in refusals(generous, answer)
    answer = come_back(generous, evil, sub="r", nick="r", groups=[])
    assert "roles_missing" not in refusals(generous, answer)


@pytest.mark.parametrize("sid", [7, "", "s" * 256, "a\x00b", ["a"]], ids=str)
def test_a_session_id_that_cannot_be_used_is_logged(server: Server, evil: Evil, sid: Any) -> None:
    answer = come_back(server, evil, sid=sid)
    assert answer.status == 302
    log = refusals(server, answer)
    assert 'fact_ignored provider=oidc claim=sid reason=not_an_id limit="255 characters"' in log


def test_a_sign_out_address_that_cannot_be_used_is_logged(start: Start, evil: Evil) -> None:
    evil.documents["end_session_endpoint"] = "javascript:alert(1)"
    try:
        server = start(**settings_for(evil))
        openid.link(server, "user", SUBJECT)
        answer = come_back(server, evil)
    finally:
        del evil.documents["end_session_endpoint"]
    (cookie,) = [line for line in answer.all("Set-Cookie") if line.startswith("jwt=")]
    out = ask(server.port, "/auth/logout", "POST", headers={"Cookie": cookie.partition(";")[0]})
    assert (out.status, out["Location"]) == (302, "/")
    log = server.log(until=out["X-Request-ID"])
    assert "provider_not_left code=provider_answer_invalid" in log
    assert "metadata_endpoint" in log
