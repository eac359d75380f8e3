"""Sign-in by OpenID Connect over HTTP: there and back."""

from urllib.parse import quote, unquote

import pytest

from tests.support import openid
from tests.support.client import BROWSER, ask
from tests.support.evil import CLIENT_ID, CLIENT_SECRET, SUBJECT, Evil, begin, key, running
from tests.support.openid_sign_in import (
    CROSS_SITE,
    EC,
    RSA,
    evil,
    me,
    quiet,
    server,
    session_of,
    sign_in,
)
from tests.support.servers import Server, Start

__all__ = ["evil", "quiet", "server"]


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
    attempt_id, _, goal = attempt.question["state"].partition(".")
    assert len(attempt_id) == 22
    assert 0 < len(goal) <= 1024
    (line,) = attempt.start.all("Set-Cookie")
    name, _, attributes = line.partition("=")
    assert name == f"latchkey_oidc_{attempt_id}"
    assert attributes.partition("; ")[2] == (
        "HttpOnly; Secure; SameSite=Lax; Path=/auth/oidc; Max-Age=600"
    )
    for secret in (attempt.question["nonce"], "auth/me"):
        assert secret not in line
    assert "auth/me" not in unquote(attempt.start["Location"])


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
