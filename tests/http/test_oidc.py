"""Sign-in by OpenID Connect over HTTP, against a provider that says what a test wants it to."""

import json
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, parse_qsl, quote, urlsplit

import pytest

from tests.support import cas, openid, sso
from tests.support.client import BROWSER, Answer, ask, bearer, cookie
from tests.support.description import assert_documented
from tests.support.evil import (
    ACCESS_TOKEN,
    CLIENT_ID,
    CLIENT_SECRET,
    LOGOUT_EVENT,
    SUBJECT,
    Asked,
    Evil,
    Reply,
    begin,
    key,
    running,
)
from tests.support.issuer import compact
from tests.support.keyfiles import within
from tests.support.servers import Server, Start
from tests.support.stores import run_sql, unreachable

RSA, EC = key("rsa"), key("ec", "ES256")
CROSS_SITE = {"Sec-Fetch-Site": "cross-site"}


@pytest.fixture(scope="module")
def evil() -> Iterator[Evil]:
    with running(RSA, EC) as made:
        yield made


def settings_for(evil: Evil, **changes: str) -> dict[str, str]:
    """Return the settings that lead to a provider."""
    return {
        "OIDC_ISSUER": evil.url,
        "OIDC_CLIENT_ID": CLIENT_ID,
        "OIDC_CLIENT_SECRET": CLIENT_SECRET,
        **changes,
    }


@pytest.fixture(scope="module")
def server(start: Start, evil: Evil) -> Server:
    """Return a server where the subject is `user`."""
    made = start(**settings_for(evil))
    openid.link(made, "user", SUBJECT)
    return made


@pytest.fixture(scope="module")
def generous(start: Start, evil: Evil) -> Server:
    """Return a server that creates unknown people, with the roles in `access.groups`."""
    return start(
        **settings_for(
            evil,
            PROVISION_USERS="true",
            OIDC_USERNAME_CLAIM="nick",
            OIDC_ROLES_CLAIM="access.groups",
            OIDC_ROLES="view_documents=readers; add_documents=cn=writers,dc=example",
        )
    )


@pytest.fixture(autouse=True)
def quiet(evil: Evil) -> None:
    """Let the provider be good again, and forget what it was asked."""
    evil.replies.clear()
    evil.delay = 0
    evil.paths()


def sign_in(server: Server, evil: Evil, *, path: str = "/auth/oidc", **changes: Any) -> Answer:
    """Sign in all the way, with claims that are changed."""
    attempt = begin(server.port, path)
    evil.answers(RSA.sign(evil.claims(attempt, **changes)))
    return attempt.come_back(attempt.good())


def session_of(answer: Answer) -> str:
    """Return the session's cookie of a sign-in."""
    (line,) = [line for line in answer.all("Set-Cookie") if line.startswith("jwt=")]
    return line.partition("=")[2].partition(";")[0]


def me(server: Server, answer: Answer) -> Any:
    """Return who was signed in."""
    return ask(server.port, "/auth/me", headers=bearer(session_of(answer))).json


# --- There and back ------------------------------------------------------------------------------


def test_the_question_has_everything_that_binds_the_answer(server: Server, evil: Evil) -> None:
    attempt = begin(server.port, "/auth/oidc?next=/auth/me", Host="evil.example")
    assert attempt.start["Location"].startswith(f"{evil.url}/authorize?tenant=a&")
    assert attempt.question == {
        "tenant": "a",
        "response_type": "code",
        "client_id": CLIENT_ID,
        "redirect_uri": f"{server.url}/auth/oidc/callback",
        "scope": "openid profile email",
        "state": attempt.question["state"],
        "nonce": attempt.question["nonce"],
        "code_challenge": attempt.question["code_challenge"],
        "code_challenge_method": "S256",
    }
    assert {len(attempt.question[name]) for name in ("nonce", "code_challenge")} == {43}
    assert len(attempt.question["state"]) == 22
    (line,) = attempt.start.all("Set-Cookie")
    name, _, attributes = line.partition("=")
    assert name == f"latchkey_oidc_{attempt.question['state']}"
    assert attributes.partition("; ")[2] == (
        "HttpOnly; Secure; SameSite=Lax; Path=/auth/oidc; Max-Age=600"
    )
    for secret in (attempt.question["nonce"], "auth/me"):
        assert secret not in line


def test_a_sign_in_asks_the_provider_once_and_lands_on_the_deep_link(
    server: Server, evil: Evil
) -> None:
    attempt = begin(server.port, "/auth/oidc?next=/auth/me%3Fa=1")
    evil.answers(EC.sign(evil.claims(attempt)))
    answer = attempt.come_back(attempt.good())
    assert (answer.status, answer["Location"]) == (302, "/auth/me?a=1")
    (asked,) = [asked for asked in evil.asked if asked.path == "/token"]
    assert asked.form["grant_type"] == "authorization_code"
    assert asked.form["redirect_uri"] == f"{server.url}/auth/oidc/callback"
    assert asked.form["code"] == "the-code-that-nobody-logs"
    assert len(asked.form["code_verifier"]) == 43
    assert "client_id" not in asked.form
    assert asked.headers["Authorization"].startswith("Basic ")
    assert "Cookie" not in asked.headers
    assert me(server, answer)["username"] == "user"
    assert me(server, answer)["method"] == "oidc"
    forgotten = [line for line in answer.all("Set-Cookie") if "Max-Age=0" in line]
    assert [line.partition("=")[0] for line in forgotten] == list(attempt.cookies)


def test_a_browser_from_another_site_lands_by_a_page(server: Server, evil: Evil) -> None:
    attempt = begin(server.port, "/auth/oidc?next=/deep")
    evil.answers(RSA.sign(evil.claims(attempt)))
    answer = attempt.come_back(attempt.good(), **BROWSER, **CROSS_SITE)
    assert answer.status == 200
    assert '<meta http-equiv="refresh" content="0; url=/deep">' in answer.text
    assert session_of(answer)


@pytest.mark.parametrize("to", ["https://evil.example/", "//evil.example", "/\\evil.example"])
def test_a_sign_in_leads_nowhere_else(server: Server, evil: Evil, to: str) -> None:
    assert sign_in(server, evil, path=f"/auth/oidc?next={quote(to)}")["Location"] == "/"


def test_a_guess_of_the_browser_asks_nobody(server: Server, evil: Evil) -> None:
    answer = ask(server.port, "/auth/oidc", headers={"Sec-Purpose": "prefetch"})
    assert answer.code == "prefetch_refused"
    assert evil.paths() == []


def test_it_can_be_seen_on_the_sign_in_page_and_only_where_it_is_on(
    server: Server, start: Start
) -> None:
    page = ask(server.port, "/auth/login?next=/deep", headers=BROWSER)
    assert '<a class="button" href="/auth/oidc?next=%2Fdeep">Sign in with OpenID Connect</a>' in (
        page.text
    )
    other = start()
    assert "Sign in with" not in ask(other.port, "/auth/login").text
    for path in ("/auth/oidc", "/auth/oidc/callback", "/auth/oidc/x", "/auth/oidc/logout"):
        assert ask(other.port, path).code == "not_found"


def test_a_public_client_and_one_that_posts_its_secret(start: Start) -> None:
    with running(key("a")) as shy, running(key("b")) as posting:
        posting.documents["token_endpoint_auth_methods_supported"] = ["client_secret_post"]
        server = start(
            OIDC_PROVIDERS="shy, posting",
            OIDC_SHY_ISSUER=shy.url,
            OIDC_SHY_CLIENT_ID=CLIENT_ID,
            OIDC_SHY_NAME="the <b>shy</b> one",
            OIDC_POSTING_ISSUER=posting.url,
            OIDC_POSTING_CLIENT_ID=CLIENT_ID,
            OIDC_POSTING_CLIENT_SECRET=CLIENT_SECRET,
        )
        for name, provider in (("shy", shy), ("posting", posting)):
            openid.link(server, "manager", SUBJECT, name)
            attempt = begin(server.port, f"/auth/oidc/{name}?next=/auth/me")
            assert attempt.callback == f"/auth/oidc/{name}/callback"
            provider.answers(provider.keys[0].sign(provider.claims(attempt)))
            assert me(server, attempt.come_back(attempt.good()))["username"] == "manager"
            (asked,) = [asked for asked in provider.asked if asked.path == "/token"]
            assert "Authorization" not in asked.headers
            assert asked.form["client_id"] == CLIENT_ID
            secret = CLIENT_SECRET if name == "posting" else None
            assert asked.form.get("client_secret") == secret
        page = ask(server.port, "/auth/login").text
        assert "Sign in with the &lt;b&gt;shy&lt;/b&gt; one" in page
        assert "Sign in with Posting" in page
        answer = ask(server.port, "/auth/oidc?next=/deep")
        assert (answer.status, answer["Location"]) == (302, "/auth/login?next=%2Fdeep")
        assert ask(server.port, "/auth/oidc/callback?state=x").code == "provider_unknown"


# --- Who it is -----------------------------------------------------------------------------------


def test_an_unknown_subject_is_told_what_to_ask_for(server: Server, evil: Evil) -> None:
    answer = sign_in(server, evil, sub="nobody", preferred_username="admin", email="admin@x.org")
    assert (answer.status, answer.code) == (403, "identity_unknown")
    assert (answer.json["provider"], answer.json["subject"]) == ("oidc", "nobody")
    assert evil.paths() == ["/token"]


def test_a_disabled_user_is_refused(server: Server, evil: Evil) -> None:
    openid.link(server, "contributor", "subject-of-contributor")
    assert server.cli("user", "disable", "contributor").returncode == 0
    answer = sign_in(server, evil, sub="subject-of-contributor")
    assert (answer.status, answer.code) == (401, "user_unknown")


def test_a_new_user_gets_name_and_roles_that_the_provider_tells(
    generous: Server, evil: Evil
) -> None:
    told: dict[str, Any] = {
        "nick": "Ada.L",
        "name": "Ada L",
        "email": "ada@x.org",
        "email_verified": True,
    }
    groups = ["readers", "cn=writers,dc=example", "others", 7]
    answer = sign_in(generous, evil, sub="ada", access={"groups": groups}, **told)
    assert me(generous, answer)["username"] == "ada.l"
    roles = [role["role"] for role in me(generous, answer)["roles"]]
    assert sorted(roles) == ["add_documents", "view_documents"]
    shown = generous.cli("user", "show", "ada.l").stdout
    assert "Ada L" in shown
    assert "ada@x.org" in shown
    fewer = sign_in(generous, evil, sub="ada", access={"groups": "readers"}, nick="renamed")
    assert me(generous, fewer)["username"] == "ada.l"
    assert [role["role"] for role in me(generous, fewer)["roles"]] == ["view_documents"]


def test_an_address_that_nobody_has_checked_is_not_taken(generous: Server, evil: Evil) -> None:
    for number, verified in enumerate((False, None, "true", 1)):
        told: dict[str, Any] = {"email": f"e{number}@x.org", "email_verified": verified}
        told |= {"nick": f"e{number}"}
        assert (
            sign_in(generous, evil, sub=f"e{number}", access={"groups": []}, **told).status == 302
        )
        assert f"e{number}@x.org" not in generous.cli("user", "show", f"e{number}").stdout


ODD_FACTS: dict[str, dict[str, str]] = {
    "a-name-of-lines": {"name": "Ada\r\nRemote-User: admin"},
    "a-zero": {"name": "Ada\0"},
    "half-a-character": {"name": "Ada \ud800"},
    "a-name-without-end": {"name": "A" * 5000},
    "two-addresses": {"email": "ada@x.org, admin@x.org"},
    "an-address-with-a-name": {"email": "Admin <ada@x.org>"},
    "no-address": {"email": "ada"},
    "an-address-of-lines": {"email": "ada@x.org\r\nBcc: b@x.org"},
}


@pytest.mark.parametrize("nick", ODD_FACTS)
def test_what_nobody_can_be_called_here_is_left_out(
    generous: Server, evil: Evil, nick: str
) -> None:
    claims: dict[str, Any] = {"nick": nick, "email_verified": True, "access": {"groups": []}}
    answer = sign_in(generous, evil, sub=nick, **claims, **ODD_FACTS[nick])
    if nick == "half-a-character":  # no JSON that can be read
        assert answer.code == "provider_answer_invalid"
        return
    assert me(generous, answer)["username"] == nick
    shown = json.loads(generous.cli("user", "show", nick, "--json").stdout)
    assert (shown["name"], shown["email"]) == (None, None)


def test_a_taken_name_is_not_taken_over(generous: Server, evil: Evil) -> None:
    answer = sign_in(generous, evil, sub="new", nick="ADMIN", access={"groups": []})
    assert (answer.status, answer.code) == (409, "username_taken")
    assert answer.json["subject"] == "new"


@pytest.mark.parametrize("name", ["", "../etc", "a b", 7, None, ["a"]])
def test_a_name_that_cannot_be_one_creates_nobody(generous: Server, evil: Evil, name: Any) -> None:
    evil.replies["/userinfo"] = lambda _: (200, {"sub": "odd"})
    answer = sign_in(generous, evil, sub="odd", nick=name, access={"groups": []})
    assert (answer.status, answer.code) == (400, "username_invalid")


def told(evil: Evil, reply: Reply) -> list[Asked]:
    """Let `userinfo` answer so; return where its questions will be found."""
    found: list[Asked] = []

    def answer(asked: Asked) -> Reply:
        found.append(asked)
        return reply

    evil.replies["/userinfo"] = answer
    return found


def test_what_the_id_token_lacks_is_asked_for_with_the_access_token(
    generous: Server, evil: Evil
) -> None:
    more = {"sub": "bob", "nick": "bob", "access": {"groups": ["readers"]}, "iss": "ignored"}
    asked = told(evil, (200, more))
    answer = sign_in(generous, evil, sub="bob")
    assert me(generous, answer)["username"] == "bob"
    assert [role["role"] for role in me(generous, answer)["roles"]] == ["view_documents"]
    assert [each.headers["Authorization"] for each in asked] == [f"Bearer {ACCESS_TOKEN}"]


@pytest.mark.parametrize(
    ("reply", "status", "code"),
    [
        ((200, {"sub": "mallory", "nick": "eve"}), 401, "sign_in_refused"),
        ((200, {"nick": "eve"}), 401, "sign_in_refused"),
        ((200, b"[]"), 502, "provider_answer_invalid"),
        ((200, b"eyJhbGciOiJub25lIn0.e30."), 502, "provider_answer_invalid"),
        ((401, {}), 502, "provider_answer_invalid"),
        ((302, b""), 502, "provider_answer_invalid"),
        ((500, b""), 503, "provider_unavailable"),
    ],
)
def test_userinfo_of_somebody_else_or_nobody_is_refused(
    generous: Server, evil: Evil, reply: Reply, status: int, code: str
) -> None:
    told(evil, reply)
    answer = sign_in(generous, evil, sub="eve")
    assert (answer.status, answer.code) == (status, code)
    assert generous.cli("user", "show", "eve").returncode == 1


def test_userinfo_is_not_asked_where_nothing_is_missing(server: Server, evil: Evil) -> None:
    asked = told(evil, (200, {"sub": SUBJECT}))
    assert sign_in(server, evil).status == 302
    assert asked == []


# --- Signing out ---------------------------------------------------------------------------------


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
    token = session_of(sign_in(server, evil, filler="f" * 4000))
    answer = ask(server.port, "/auth/logout", headers=cookie(token))
    assert "id_token_hint" not in parse_qs(urlsplit(answer["Location"]).query)


def say(server: Server, body: str, **headers: str) -> Answer:
    """Send what a provider sends when somebody signs out there."""
    sent = {"Content-Type": "application/x-www-form-urlencoded", **headers}
    return ask(server.port, "/auth/oidc/logout", "POST", headers=sent, body=body.encode())


def is_in(server: Server, token: str) -> bool:
    """Tell whether a session goes on."""
    return ask(server.port, "/auth/me", headers=cookie(token)).status == 200


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


# --- A provider that is down or slow -------------------------------------------------------------


def test_the_server_starts_without_the_provider_and_finds_it_later(start: Start) -> None:
    with running(RSA) as provider:
        provider.replies["/.well-known/openid-configuration"] = lambda _: (503, b"")
        server = start(**settings_for(provider))
        assert ask(server.port, "/readyz").status == 200
        assert provider.paths() == []
        page = ask(server.port, "/auth/oidc?next=/deep", headers=BROWSER)
        assert page.status == 503
        assert 'href="/auth/oidc?next=%2Fdeep">Try again</a>' in page.text
        assert 'href="/auth/login?next=%2Fdeep">Other ways to sign in</a>' in page.text
        assert "Set-Cookie" not in dict(page.headers)
        assert ask(server.port, "/auth/bypass?token=user").status == 302
        provider.replies.clear()
        deadline = time.monotonic() + 10
        while ask(server.port, "/auth/oidc").status != 302:
            assert time.monotonic() < deadline
            time.sleep(0.2)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"issuer": "https://evil.example"}, "metadata_issuer"),
        ({"token_endpoint": "javascript:alert(1)"}, "metadata_endpoint"),
        ({"token_endpoint": None}, "metadata_endpoint"),
    ],
)
def test_a_description_that_is_no_good_is_not_used(
    start: Start, changes: dict[str, Any], why: str
) -> None:
    with running(RSA) as provider:
        provider.documents.update(changes)
        server = start(**settings_for(provider))
        answer = ask(server.port, "/auth/oidc")
        assert (answer.status, answer.code) == (502, "provider_answer_invalid")
        assert f"reason={why}" in server.log(until=answer["X-Request-ID"])


@pytest.mark.parametrize("host", ["a..b", f"{'a' * 64}.example.org", "no-such-host.invalid"])
def test_an_endpoint_whose_host_nobody_can_look_up_is_a_provider_that_is_down(
    start: Start, host: str
) -> None:
    with running(RSA) as provider:
        provider.documents["token_endpoint"] = f"http://{host}/token"
        server = start(**settings_for(provider))
        attempt = begin(server.port)
        answer = attempt.come_back(attempt.good())
        assert (answer.status, answer.code) == (503, "provider_unavailable")
        assert "Traceback" not in server.log(until=answer["X-Request-ID"])


def test_a_slow_provider_holds_nobody_else_up(
    server: Server, evil: Evil, capsys: pytest.CaptureFixture[str]
) -> None:
    token = session_of(sign_in(server, evil))
    attempts = [begin(server.port) for _ in range(8)]
    evil.delay = 12
    answers: list[Answer] = []
    began = time.monotonic()
    waiting = [
        threading.Thread(target=lambda a=attempt: answers.append(a.come_back(a.good())))
        for attempt in attempts
    ]
    for thread in waiting:
        thread.start()
    slowest = 0.0
    while not answers:
        asked = time.monotonic()
        assert is_in(server, token)
        assert ask(server.port, "/auth/bypass?token=user").status == 302
        slowest = max(slowest, time.monotonic() - asked)
        assert time.monotonic() - began < 30
    for thread in waiting:
        thread.join()
    assert {answer.code for answer in answers} == {"provider_unavailable"}
    with capsys.disabled():
        print(  # noqa: T201  # the figures
            f"\ngave the provider up after {time.monotonic() - began:.1f} s;"
            f" meanwhile two other requests took at most {slowest * 1000:.0f} ms"
        )


def test_a_provider_that_hangs_leaves_another_its_places(start: Start) -> None:
    asked = 25
    with running(RSA) as hanging, sso.scripted(lambda _: cas.success("user")) as other:
        server = start(**settings_for(hanging), CAS_URL=other.url, CAS_TRUST_USERNAMES="true")
        attempts = [begin(server.port) for _ in range(asked)]
        hanging.delay = 12
        answers: list[Answer] = []
        waiting = [
            threading.Thread(target=lambda a=attempt: answers.append(a.come_back(a.good())))
            for attempt in attempts
        ]
        for thread in waiting:
            thread.start()
        within(9, lambda: sum(each.path == "/token" for each in hanging.asked) == 20)
        assert cas.jwt(cas.sign_in(server)) is not None
        assert answers == []
        for thread in waiting:
            thread.join()
        assert [answer.code for answer in answers] == ["provider_unavailable"] * asked


def test_a_browser_in_circles_is_led_out_no_fourth_time(server: Server, evil: Evil) -> None:
    returns = ""
    for _ in range(3):
        attempt = begin(server.port, Cookie=returns)
        evil.answers(RSA.sign(evil.claims(attempt)))
        ((name, value),) = attempt.cookies.items()
        answer = attempt.come_back(attempt.good(), Cookie=f"{name}={value}; {returns}")
        assert answer.status == 302
        kept = [line for line in answer.all("Set-Cookie") if line.startswith("latchkey_returns=")]
        returns = kept[0].partition(";")[0]
    evil.paths()
    page = ask(server.port, "/auth/oidc", headers={**BROWSER, "Cookie": returns})
    assert (page.status, "Location" in dict(page.headers)) == (400, False)
    assert "does not store the session cookie" in page.text
    assert evil.paths() == []
