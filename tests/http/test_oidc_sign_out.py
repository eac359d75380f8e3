"""Signing out over OpenID Connect: here, and by the provider in the back channel."""

import time
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest

from tests.support import openid
from tests.support.client import BROWSER, Answer, ask, cookie
from tests.support.description import assert_documented
from tests.support.evil import CLIENT_ID, LOGOUT_EVENT, SUBJECT, Evil, begin, key
from tests.support.issuer import compact
from tests.support.openid_sign_in import (
    CROSS_SITE,
    EC,
    RSA,
    evil,
    is_in,
    quiet,
    server,
    session_of,
    sign_in,
)
from tests.support.servers import Server, Start
from tests.support.stores import run_sql, unreachable

__all__ = ["evil", "quiet", "server"]


def test_signing_out_goes_on_to_the_provider(server: Server, evil: Evil) -> None:
    attempt = begin(server.port)
    id_token = RSA.sign(evil.claims(attempt))
    evil.answers(id_token)
    token = session_of(attempt.come_back(attempt.good()))
    answer = ask(server.port, "/auth/logout?next=/deep", headers=cookie(token))
    assert answer.status == 302
    address = urlsplit(answer["Location"])
    assert answer["Location"].startswith(f"{evil.url}/end?")
    assert dict(parse_qsl(address.query)) == {
        "client_id": CLIENT_ID,
        "post_logout_redirect_uri": f"{server.url}/",
        "id_token_hint": id_token,
    }
    assert ask(server.port, "/auth/me", headers=cookie(token)).code == "token_revoked"
    assert id_token not in server.log()


def test_people_read_that_they_are_signed_out_on_the_way_to_the_provider(
    server: Server, evil: Evil
) -> None:
    """A browser would not follow a redirect: our policy says where forms may lead."""
    jar = cookie(session_of(sign_in(server, evil)))
    page = ask(server.port, "/auth/logout", "POST", headers={**jar, **BROWSER})
    assert page.status == 200
    assert "You are signed out" in page.text
    assert f'content="0; url={evil.url}/end?' in page.text
    document = ask(server.port, "/openapi.json").json
    assert_documented(document, "POST", "/auth/logout", page)
    jar = cookie(session_of(sign_in(server, evil)))
    plain = ask(server.port, "/auth/logout", "POST", headers=jar)
    assert (plain.status, plain.body) == (302, b"")
    assert plain["Location"].startswith(f"{evil.url}/end?")


def test_an_id_token_too_long_for_an_address_is_left_out(server: Server, evil: Evil) -> None:
    signed_in = sign_in(server, evil, filler="f" * 4000)
    token, log = session_of(signed_in), server.log(until=signed_in["X-Request-ID"])
    assert 'hint_left_out provider=oidc limit="3,072 characters"' in log
    answer = ask(server.port, "/auth/logout", headers=cookie(token))
    assert "id_token_hint" not in parse_qs(urlsplit(answer["Location"]).query)


def say(server: Server, body: str, **headers: str) -> Answer:
    """Send what a provider sends when somebody signs out there."""
    sent = {"Content-Type": "application/x-www-form-urlencoded", **headers}
    return ask(server.port, "/auth/oidc/logout", "POST", headers=sent, body=body.encode())


def test_a_provider_ends_one_session_by_its_sid(server: Server, evil: Evil) -> None:
    first, second = (session_of(sign_in(server, evil, sid=sid)) for sid in ("one", "two"))
    answer = say(server, "logout_token=" + evil.logout_token(sid="one"))
    assert (answer.status, answer["Cache-Control"], answer.body) == (200, "no-store", b"")
    assert (is_in(server, first), is_in(server, second)) == (False, True)


@pytest.mark.parametrize("sid", ["a\0b", "\u202e", "line\nend", "s" * 256])
def test_a_sid_that_cannot_be_kept_is_as_if_there_were_none(
    server: Server, evil: Evil, sid: str
) -> None:
    token = session_of(sign_in(server, evil, sid=sid))
    for name in ("sid", "jti"):
        changes: dict[str, Any] = {"sid": "a", name: sid}
        answer = say(server, "logout_token=" + evil.logout_token(**changes))
        assert answer.code == "logout_token_invalid"
    assert is_in(server, token)
    assert say(server, "logout_token=" + evil.logout_token(sid="unheard of")).status == 200
    assert not is_in(server, token)


def test_a_provider_ends_all_sessions_of_a_subject(server: Server, evil: Evil) -> None:
    openid.link(server, "manager", "subject-of-manager")
    tokens = [session_of(sign_in(server, evil, sid=sid)) for sid in ("a", "b", None)]
    other = session_of(sign_in(server, evil, sub="subject-of-manager", sid="c"))
    assert say(server, "logout_token=" + evil.logout_token(EC)).status == 200
    assert [is_in(server, token) for token in (*tokens, other)] == [False, False, False, True]


def test_a_session_ends_on_every_process_within_a_second(
    start: Start, server: Server, evil: Evil, capsys: pytest.CaptureFixture[str]
) -> None:
    beside = start(beside=server)
    token = session_of(sign_in(server, evil, sid="everywhere"))
    assert is_in(beside, token)
    began = time.monotonic()
    assert say(server, "logout_token=" + evil.logout_token(sid="everywhere")).status == 200
    while is_in(beside, token):
        assert time.monotonic() - began < 10
    with capsys.disabled():
        print(f"\nended elsewhere after {(time.monotonic() - began) * 1000:.0f} ms")  # noqa: T201  # the figure


NOW = 1_700_000_000
LOGOUTS: dict[str, dict[str, Any]] = {
    "no events": {"events": None},
    "another event": {"events": {"http://schemas.openid.net/event/other": {}}},
    "an event that is true": {"events": {LOGOUT_EVENT: True}},
    "events in a list": {"events": [LOGOUT_EVENT]},
    "a nonce": {"nonce": "n"},
    "neither sid nor sub": {"sub": None, "sid": None},
    "a sid that is a number": {"sid": 1},
    "an empty sid": {"sid": ""},
    "a sub that is a list": {"sub": [SUBJECT]},
    "no jti": {"jti": None},
    "a jti that is a number": {"jti": 1},
    "an empty jti": {"jti": ""},
    "no iat": {"iat": None},
    "issued long ago": {"iat": NOW},
    "issued in the future": {"iat": NOW * 2},
    "expired": {"exp": NOW},
    "another audience": {"aud": "another"},
    "no audience": {"aud": None},
    "another issuer": {"iss": "https://evil.example"},
}


@pytest.mark.parametrize("name", LOGOUTS)
def test_a_logout_token_is_refused(server: Server, evil: Evil, name: str) -> None:
    token = session_of(sign_in(server, evil, sid="kept"))
    answer = say(server, "logout_token=" + evil.logout_token(**{"sid": "kept", **LOGOUTS[name]}))
    assert (answer.status, answer.code) == (400, "logout_token_invalid")
    assert is_in(server, token)
    assert "eyJ" not in server.log(until=answer["X-Request-ID"])


def forgeries(evil: Evil) -> dict[str, str]:
    """Return bodies that no provider sends."""
    good = evil.logout_token(sid="kept")
    claims = {"iss": evil.url, "aud": CLIENT_ID, "sub": SUBJECT}
    return {
        "nothing": "",
        "another field": "token=" + good,
        "two tokens": f"logout_token={good}&logout_token={good}",
        "no form": good,
        "no token": "logout_token=a.b.c",
        "an ID token": "logout_token=" + RSA.sign({**claims, "nonce": "n", "iat": 1}),
        "alg none": "logout_token=" + compact({"alg": "none"}, claims, lambda _: b""),
        "a signature cut short": "logout_token=" + good[:-8],
        "signed by a stranger": "logout_token=" + evil.logout_token(key("rsa")),
        "an unknown key": "logout_token=" + evil.logout_token(key("new")),
        "encrypted": "logout_token=eyJhbGciOiJSU0EtT0FFUCJ9.YQ.YQ.YQ.YQ",
        "bytes": "logout_token=%ff%00é",
        "long": "logout_token=" + "a" * 60_000,
    }


FORGERIES = ("nothing", "another field", "two tokens", "no form", "no token", "an ID token",
             "alg none", "a signature cut short", "signed by a stranger", "an unknown key",
             "encrypted", "bytes", "long")  # fmt: skip


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_sign_out_is_refused(server: Server, evil: Evil, name: str) -> None:
    token = session_of(sign_in(server, evil, sid="kept"))
    evil.paths()
    answer = say(server, forgeries(evil)[name])
    assert (answer.status, answer.code) == (400, "logout_token_invalid")
    assert is_in(server, token)
    assert evil.paths() in ([], ["/jwks"])  # once a minute for a key that is unknown


def test_a_logout_token_counts_once(server: Server, evil: Evil) -> None:
    text = evil.logout_token()
    assert say(server, f"logout_token={text}").status == 200
    token = session_of(sign_in(server, evil))
    assert say(server, f"logout_token={text}").code == "logout_token_invalid"
    assert is_in(server, token)


def test_a_logout_token_counts_once_in_all_processes_together(
    start: Start, server: Server, evil: Evil
) -> None:
    beside = start(beside=server)
    text = f"logout_token={evil.logout_token()}"
    assert say(server, text).status == 200
    token = session_of(sign_in(server, evil))
    answer = say(beside, text)
    assert answer.code == "logout_token_invalid"
    assert "reason=jti_used" in beside.log(until=answer["X-Request-ID"])
    assert is_in(server, token)


def test_a_sign_out_that_could_not_be_written_down_can_be_said_again(
    server: Server, evil: Evil
) -> None:
    token = session_of(sign_in(server, evil, sid="again"))
    text = "logout_token=" + evil.logout_token(sid="again")
    with unreachable(server.database):
        answer = say(server, text)
        assert (answer.status, answer.code) == (503, "database_unavailable")
    assert say(server, text).status == 200
    assert not is_in(server, token)


def test_a_session_of_which_the_id_token_said_no_sid_ends_by_its_subject(
    server: Server, evil: Evil
) -> None:
    unnamed, named = (session_of(sign_in(server, evil, sid=sid)) for sid in (None, "another"))
    assert say(server, "logout_token=" + evil.logout_token(sid="unheard of")).status == 200
    assert (is_in(server, unnamed), is_in(server, named)) == (False, True)


def test_a_sign_out_is_said_in_a_form_and_the_cookie_counts_for_nothing(
    server: Server, evil: Evil
) -> None:
    token = session_of(sign_in(server, evil, sid="form"))
    text = "logout_token=" + evil.logout_token(sid="form")
    assert say(server, text, **{"Content-Type": "text/plain"}).code == "logout_token_invalid"
    assert is_in(server, token)
    headers = {**cookie(token), **CROSS_SITE, "Origin": "https://evil.example"}
    assert say(server, text, **headers).status == 200
    assert not is_in(server, token)


def test_a_provider_session_leaves_nothing_behind(server: Server, evil: Evil) -> None:
    token = session_of(sign_in(server, evil, sid="gone"))
    assert ask(server.port, "/auth/logout", "POST", headers=cookie(token)).status == 302
    gone = "SELECT * FROM provider_sessions WHERE handle = 'gone'"
    assert run_sql(server.database, gone) == []
