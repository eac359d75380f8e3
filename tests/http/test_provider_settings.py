"""Settings that some providers need, seen from outside: requests to them, and ways to them."""

import base64
import contextlib
import http.server
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.support import openid, sso
from tests.support.cas import success
from tests.support.client import BROWSER, Answer, ask, cookie
from tests.support.evil import CLIENT_ID, CLIENT_SECRET, SUBJECT, Evil, begin, key, running
from tests.support.openid_sign_in import RSA, evil, me, quiet, session_of, settings_for, sign_in
from tests.support.servers import Server, Start

__all__ = ["evil", "quiet"]

PARAMS = "prompt=consent&hd=example.org&acr_values=a+b%26c&uri=x"


# --- Parameters of the authorization request -----------------------------------------------------


@pytest.fixture(scope="module")
def with_params(start: Start, evil: Evil) -> Server:
    made = start(**settings_for(evil, OIDC_AUTHORIZE_PARAMS=PARAMS))
    openid.link(made, "user", SUBJECT)
    return made


def question(answer: Answer) -> dict[str, list[str]]:
    """Return the parameters of a redirect to the provider."""
    assert answer.status == 302, answer.text
    return parse_qs(urlsplit(answer["Location"]).query)


def test_the_request_has_further_parameters(with_params: Server, evil: Evil) -> None:
    asked = question(ask(with_params.port, "/auth/oidc?next=/deep"))
    more = {name: asked.pop(name) for name in ("prompt", "hd", "acr_values", "uri")}
    assert more == {
        "prompt": ["consent"],
        "hd": ["example.org"],
        "acr_values": ["a b&c"],
        "uri": ["x"],
    }
    assert all(len(values) == 1 for values in asked.values())
    assert asked.keys() >= {"state", "nonce", "client_id", "redirect_uri", "code_challenge"}
    assert me(with_params, sign_in(with_params, evil))["username"] == "user"


@pytest.mark.parametrize(
    ("supported", "prompt"),
    [
        (None, "consent select_account"),
        (["none", "login", "select_account"], "consent select_account"),
        (["none", "login", "consent"], "consent login"),
        (["none"], "consent"),
        ("select_account", "consent select_account"),  # no list: unknown
        ([7, None, "login"], "consent login"),
    ],
)
def test_a_choice_of_the_account_is_one_that_the_provider_has(
    start: Start, supported: object, prompt: str
) -> None:
    with running(RSA) as provider:
        provider.documents["prompt_values_supported"] = supported
        server = start(**settings_for(provider, OIDC_AUTHORIZE_PARAMS=PARAMS))
        assert question(ask(server.port, "/auth/oidc?prompt=select_account"))["prompt"] == [prompt]
        assert question(ask(server.port, "/auth/oidc"))["prompt"] == ["consent"]


@pytest.mark.parametrize(
    "query",
    ["prompt=none", "prompt=create", "prompt=select_account&prompt=none", "hd=evil.example"],
)
def test_links_choose_no_other_parameters(with_params: Server, query: str) -> None:
    asked = question(ask(with_params.port, f"/auth/oidc?{query}"))
    assert (asked["prompt"], asked["hd"]) == (["consent"], ["example.org"])


def test_a_provider_that_refuses_the_choice_asks_for_the_password(with_params: Server) -> None:
    """Its metadata does not list what it supports; some refuse other values."""
    attempt = begin(with_params.port, "/auth/oidc?next=/deep&prompt=select_account")
    answer = attempt.come_back(attempt.good(code="", error="invalid_request"))
    assert answer["Location"] == "/auth/oidc?next=%2Fdeep&prompt=login"
    again = begin(with_params.port, answer["Location"])
    assert again.question["prompt"] == "consent login"
    answer = again.come_back(again.good(code="", error="invalid_request"))
    assert (answer.status, answer.code) == (401, "sign_in_refused")


@pytest.mark.parametrize("query", ["", "?prompt=login", "?prompt=select_account&prompt=x"])
def test_other_refusals_do_not_start_again(with_params: Server, query: str) -> None:
    attempt = begin(with_params.port, f"/auth/oidc{query}")
    answer = attempt.come_back(attempt.good(code="", error="invalid_request"))
    assert (answer.status, answer.code) == (401, "sign_in_refused")


REFUSALS: dict[str, tuple[dict[str, str], dict[str, Any], str, bool]] = {
    "not linked": ({}, {"sub": "stranger"}, "identity_unknown", True),
    "not allowed": ({"OIDC_REQUIRE": "hd=x"}, {"hd": "y"}, "account_not_allowed", True),
    "taken": ({"PROVISION_USERS": "true"}, {"preferred_username": "admin"}, "username_taken", True),
    "no name": ({"PROVISION_USERS": "true"}, {"preferred_username": "?"}, "username_invalid", True),
    "another nonce": ({}, {"nonce": "another"}, "sign_in_refused", False),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_try_again_lets_people_choose_another_account(start: Start, evil: Evil, name: str) -> None:
    settings, claims, code, chooses = REFUSALS[name]
    server = start(**settings_for(evil, **settings))
    attempt = begin(server.port, "/auth/oidc?next=/deep")
    evil.answers(RSA.sign(evil.claims(attempt, **claims)))
    page = attempt.come_back(attempt.good(), **BROWSER)
    assert code in page.text
    link = "/auth/oidc?next=%2Fdeep" + ("&amp;prompt=select_account" if chooses else "")
    assert f'href="{link}">Try again</a>' in page.text
    asked = question(ask(server.port, link.replace("&amp;", "&")))
    assert asked.get("prompt") == (["select_account"] if chooses else None)


# --- Discovery and authentication ----------------------------------------------------------------


def test_metadata_at_another_address(start: Start) -> None:
    with running(RSA) as provider:
        path = "/.well-known/oauth-authorization-server"
        provider.replies[path] = lambda _: (200, provider.metadata())
        provider.replies["/.well-known/openid-configuration"] = lambda _: (404, b"")
        address = f"{provider.url}{path}?appid=1"
        server = start(**settings_for(provider, OIDC_DISCOVERY_URL=address))
        openid.link(server, "user", SUBJECT)
        assert me(server, sign_in(server, provider))["username"] == "user"
        assert "/.well-known/openid-configuration" not in provider.paths()


def test_metadata_at_another_address_names_the_same_issuer(start: Start) -> None:
    with running(RSA) as provider, running(RSA) as other:
        address = f"{other.url}/.well-known/openid-configuration"
        server = start(**settings_for(provider, OIDC_DISCOVERY_URL=address))
        answer = ask(server.port, "/auth/oidc")
        assert (answer.status, answer.code) == (502, "provider_answer_invalid")
        assert "reason=metadata_issuer" in server.log(until=answer["X-Request-ID"])


@pytest.mark.parametrize("told", [["client_secret_basic"], ["client_secret_post"], None, ["x"]])
@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_the_setting_decides_how_to_authenticate(
    start: Start, told: list[str] | None, method: str
) -> None:
    with running(key("a")) as provider:
        provider.documents["token_endpoint_auth_methods_supported"] = told
        settings = settings_for(provider, OIDC_TOKEN_ENDPOINT_AUTH_METHOD=method)
        server = start(
            OIDC_PROVIDERS="campus",
            **{name.replace("OIDC_", "OIDC_CAMPUS_"): value for name, value in settings.items()},
        )
        openid.link(server, "user", SUBJECT, "campus")
        attempt = begin(server.port, "/auth/oidc/campus")
        provider.answers(provider.keys[0].sign(provider.claims(attempt)))
        assert attempt.come_back(attempt.good()).status == 302
        (asked,) = [asked for asked in provider.asked if asked.path == "/token"]
        is_basic = asked.headers.get("Authorization", "").startswith("Basic ")
        assert is_basic is (method == "client_secret_basic")
        assert asked.form.get("client_secret") == (None if is_basic else CLIENT_SECRET)


@pytest.mark.parametrize("told", [["none"], ["none", "private_key_jwt"]])
def test_a_secret_is_not_sent_to_a_provider_that_takes_none(start: Start, told: list[str]) -> None:
    with running(key("a")) as provider:
        provider.documents["token_endpoint_auth_methods_supported"] = told
        server = start(**settings_for(provider))
        openid.link(server, "user", SUBJECT)
        attempt = begin(server.port)
        provider.answers(provider.keys[0].sign(provider.claims(attempt)))
        assert attempt.come_back(attempt.good()).status == 302
        (asked,) = [asked for asked in provider.asked if asked.path == "/token"]
        assert "Authorization" not in asked.headers
        assert "client_secret" not in asked.form
        assert asked.form["client_id"] == CLIENT_ID


# --- A proxy for outgoing requests ---------------------------------------------------------------


@dataclass
class Proxy:
    """An HTTP proxy that passes plain requests on."""

    url: str = ""
    status: int = 0
    asked: list[tuple[str, str, str | None]] = field(default_factory=list)


@contextlib.contextmanager
def proxy(target: Evil) -> Iterator[Proxy]:
    """Serve a proxy on loopback, for a provider whose name only it knows."""
    made = Proxy()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:  # the library's name
            login = self.headers.get("Proxy-Authorization")
            made.asked.append((self.command, self.path, login))
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            if made.status:
                self.answer(made.status, b"")
                return
            path = urlsplit(self.path).path
            headers = {
                name: value
                for name, value in self.headers.items()
                if name in {"Authorization", "Content-Type"}
            }
            port = urlsplit(target.url).port or 0
            passed = ask(port, path, self.command, headers=headers, body=body or None)
            self.answer(passed.status, passed.body)

        do_POST = do_CONNECT = do_GET  # noqa: N815  # the same

        def answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        made.url = f"127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield made
        server.shutdown()


def test_requests_to_providers_pass_the_proxy(start: Start) -> None:
    with running(RSA) as provider, proxy(provider) as between:
        real = "http://id.only-behind-the-proxy.invalid"
        endpoints = {"authorization_endpoint": "a", "token_endpoint": "token", "jwks_uri": "jwks"}
        provider.documents = {name: f"{real}/{path}" for name, path in endpoints.items()}
        provider.documents["issuer"] = real
        settings = settings_for(provider) | {"OIDC_ISSUER": real}
        server = start(**settings, OUTGOING_PROXY=f"http://ada:s%40cret@{between.url}")
        openid.link(server, "user", SUBJECT)
        attempt = begin(server.port)
        provider.answers(RSA.sign(provider.claims(attempt, iss=real)))
        answer = attempt.come_back(attempt.good())
        assert answer.status == 302, answer.text
        assert me(server, answer)["username"] == "user"
        expected = "Basic " + base64.b64encode(b"ada:s@cret").decode()
        assert {login for _, _, login in between.asked} == {expected}
        assert {url for _, url, _ in between.asked} >= {
            f"{real}/.well-known/openid-configuration",
            f"{real}/token",
            f"{real}/jwks",
        }
        assert all("Proxy-Authorization" not in asked.headers for asked in provider.asked)


@pytest.mark.parametrize("status", [407, 403, 502, 0])
def test_a_proxy_that_refuses_or_is_down_is_a_provider_that_is_down(
    start: Start, status: int
) -> None:
    with running(RSA) as provider, proxy(provider) as between:
        between.status = status
        settings = settings_for(provider) | {"OIDC_ISSUER": "https://id.behind.invalid"}
        address = between.url if status else "127.0.0.1:1"
        server = start(**settings, OUTGOING_PROXY=f"http://ada:hidden@{address}")
        answer = ask(server.port, "/auth/oidc")
        assert (answer.status, answer.code) == (503, "provider_unavailable")
        assert "hidden" not in server.log(until=answer["X-Request-ID"])
        assert {method for method, _, _ in between.asked} <= {"CONNECT"}


def test_a_proxy_that_wants_another_login_is_not_the_provider(start: Start, evil: Evil) -> None:
    with proxy(evil) as between:
        between.status = 407
        server = start(**settings_for(evil), OUTGOING_PROXY=f"http://{between.url}")
        answer = ask(server.port, "/auth/oidc")
        assert (answer.status, answer.code) == (503, "provider_unavailable")
        assert "proxy status 407" in server.log(until=answer["X-Request-ID"])


def test_proxies_of_the_environment_are_ignored(start: Start) -> None:
    with running(RSA) as provider:
        nowhere = "http://127.0.0.1:1"
        server = start(
            **settings_for(provider), HTTP_PROXY=nowhere, http_proxy=nowhere, ALL_PROXY=nowhere
        )
        assert ask(server.port, "/auth/oidc").status == 302


# --- Straight to the provider --------------------------------------------------------------------


@pytest.fixture(scope="module")
def straight(start: Start, evil: Evil) -> Server:
    made = start(**settings_for(evil), BYPASS_AUTH="false", SIGN_IN_REDIRECT="true")
    openid.link(made, "user", SUBJECT)
    return made


def test_the_sign_in_page_leads_straight_to_the_only_provider(straight: Server) -> None:
    for path, to in (
        ("/auth/login?next=/deep%3Fa=1", "/auth/oidc?next=%2Fdeep%3Fa%3D1"),
        ("/auth/login?rd=/deep", "/auth/oidc?next=%2Fdeep"),
        ("/auth/login?next=/deep&landed=1", "/auth/oidc?next=%2Fdeep"),
        ("/auth/login?next=https://evil.example", "/auth/oidc?next=%2F"),
        ("/auth/login", "/auth/oidc?next=%2F"),
    ):
        answer = ask(straight.port, path, headers=BROWSER)
        assert (answer.status, answer["Location"]) == (302, to)


def test_who_is_signed_in_is_not_led_to_the_provider(straight: Server, evil: Evil) -> None:
    session = cookie(session_of(sign_in(straight, evil)))
    page = ask(straight.port, "/auth/login?next=/deep", headers={**BROWSER, **session})
    assert (page.status, "You are signed in as" in page.text) == (200, True)
    landed = ask(straight.port, "/auth/login?next=/deep&landed=1", headers={**BROWSER, **session})
    assert landed["Location"] == "/deep"


def test_a_browser_that_may_withhold_the_cookie_comes_again_first(straight: Server) -> None:
    headers = {**BROWSER, "Sec-Fetch-Site": "cross-site"}
    page = ask(straight.port, "/auth/login?next=/deep", headers=headers)
    assert (page.status, "landed=1" in page.text) == (200, True)


def test_the_home_page_and_links_to_other_ways_stay(straight: Server, evil: Evil) -> None:
    """Otherwise signing out would sign in again, and no page would lead anywhere else."""
    home = ask(straight.port, "/", headers=BROWSER)
    assert (home.status, 'href="/auth/oidc?next=%2F"' in home.text) == (200, True)
    attempt = begin(straight.port, "/auth/oidc?next=/deep")
    page = attempt.come_back(attempt.good(code="", error="access_denied"), **BROWSER)
    assert 'href="/auth/login?next=%2Fdeep&amp;choose=1">Other ways to sign in</a>' in page.text
    assert ask(straight.port, "/auth/login?next=%2Fdeep&choose=1", headers=BROWSER).status == 200
    evil.paths()


def test_with_several_ways_the_page_stays(start: Start, evil: Evil) -> None:
    on = {**settings_for(evil), "SIGN_IN_REDIRECT": "true"}
    campus = sso.scripted(lambda _: success("user"))
    with campus as made:
        for more in ({"BYPASS_AUTH": "true"}, {"BYPASS_AUTH": "false", "CAS_URL": made.url}):
            server = start(**on, **more)
            assert ask(server.port, "/auth/login?next=/deep", headers=BROWSER).status == 200


def test_a_gateway_that_knows_nobody_ends_on_the_page(start: Start) -> None:
    with sso.scripted(lambda _: success("user")) as campus:
        server = start(CAS_URL=campus.url, BYPASS_AUTH="false", SIGN_IN_REDIRECT="true")
        assert ask(server.port, "/auth/login?next=/d")["Location"] == "/auth/cas?next=%2Fd"
        started = ask(server.port, "/auth/cas?next=/d&gateway=true")
        (service,) = question(started)["service"]
        sent = {"Cookie": started.all("Set-Cookie")[0].partition(";")[0]}
        back = ask(server.port, service.removeprefix(server.url), headers=sent)
        assert back["Location"] == "/auth/login?next=%2Fd&choose=1"
        assert ask(server.port, back["Location"], headers=BROWSER).status == 200
