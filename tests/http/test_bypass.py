"""The development sign-in: who gets in, who does not, and that production has no such door."""

from urllib.parse import quote

import pytest

from tests.support.client import BROWSER, ask, bearer, sign_in
from tests.support.environment import STRONG
from tests.support.servers import Server, Start


def test_the_one_cookie_has_exactly_these_attributes(server: Server) -> None:
    answer = ask(server.port, "/auth/bypass?token=admin")
    assert answer.status == 302
    assert answer["Location"] == "/"
    value, *attributes = answer["Set-Cookie"].split("; ")
    assert value.startswith("jwt=ey")
    assert sorted(attributes) == sorted(
        ["HttpOnly", "Secure", "SameSite=Strict", "Path=/", "Max-Age=21600"]
    )


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("", 400, "username_missing"),
        ("?token=", 400, "username_missing"),
        ("?token", 400, "username_missing"),
        ("?token=admin&token=user", 400, "username_ambiguous"),
        ("?token=admin&token=", 400, "username_ambiguous"),
        ("?token=nobody", 401, "user_unknown"),
        ("?token=a%00dmin", 400, "username_invalid"),
        ("?token=admin%00", 400, "username_invalid"),
        ("?token=admin%0A", 400, "username_invalid"),
        ("?token=%ED%A0%80", 400, "username_invalid"),
        ("?token=%FF", 400, "username_invalid"),
        ("?token=%EF%BC%A1dmin", 400, "username_invalid"),
        ("?token=" + quote("аdmin"), 400, "username_invalid"),  # noqa: RUF001  # Cyrillic
        ("?token=admin%20", 400, "username_invalid"),
        ("?token=+admin", 400, "username_invalid"),
        ("?token=.admin", 400, "username_invalid"),
        ("?token=%27+OR+1%3D1--", 400, "username_invalid"),
        ("?token=" + "a" * 65, 400, "username_invalid"),
        ("?token=" + "a" * 8000, 400, "username_invalid"),
        ("?token=" + "a" * 10000, 400, "username_invalid"),
        ("?token=" + "a" * 33000, 414, "uri_too_long"),
    ],
)
def test_a_bad_name_is_refused_with_its_own_code(
    server: Server, query: str, status: int, code: str
) -> None:
    answer = ask(server.port, f"/auth/bypass{query}")
    assert (answer.status, answer.code) == (status, code)
    assert answer.all("Set-Cookie") == []


def test_names_are_one_person_whatever_their_case(server: Server) -> None:
    me = ask(server.port, "/auth/me", headers=bearer(sign_in(server.port, "ADMIN"))).json
    assert me["username"] == "admin"


@pytest.mark.parametrize(
    "header",
    [
        {"Forwarded": "for=127.0.0.1"},
        {"X-Forwarded-For": "127.0.0.1"},
        {"X-Forwarded-Proto": "https"},
        {"x-forwarded-anything": ""},
        {"X-Real-IP": "127.0.0.1"},
        {"Via": "1.1 proxy"},
    ],
    ids=lambda header: next(iter(header)),
)
def test_a_proxy_that_is_not_trusted_is_refused(server: Server, header: dict[str, str]) -> None:
    answer = ask(server.port, "/auth/bypass?token=admin", headers=header)
    assert (answer.status, answer.code) == (403, "bypass_refused")


def test_behind_a_trusted_proxy_the_client_that_it_names_decides(start: Start) -> None:
    server = start(TRUSTED_PROXIES="127.0.0.1/32")
    for forwarded_for, status in [
        ("127.0.0.2", 302),
        ("203.0.113.9", 403),
        ("127.0.0.1, 203.0.113.9", 403),
        ("203.0.113.9, 127.0.0.2", 302),
        ("garbage", 403),
        ("", 403),
    ]:
        headers = {"X-Forwarded-For": forwarded_for}
        answer = ask(server.port, "/auth/bypass?token=admin", headers=headers)
        assert answer.status == status, forwarded_for
    for contradiction in (
        {"X-Real-IP": "203.0.113.9"},
        {"Forwarded": "for=203.0.113.9"},
        {"X-Real-IP": "garbage"},
    ):
        headers = {"X-Forwarded-For": "127.0.0.2", **contradiction}
        answer = ask(server.port, "/auth/bypass?token=admin", headers=headers)
        assert answer.code == "bypass_refused"
    agreed = {"X-Forwarded-For": "127.0.0.2", "X-Real-IP": "127.0.0.2"}
    assert ask(server.port, "/auth/bypass?token=admin", headers=agreed).status == 302
    silent = ask(server.port, "/auth/bypass?token=admin", headers={"Via": "1.1 proxy"})
    assert silent.code == "bypass_refused"


def test_only_the_networks_named_get_in(start: Start) -> None:
    server = start(BYPASS_NETWORKS="192.0.2.0/24")
    assert ask(server.port, "/auth/bypass?token=admin").code == "bypass_refused"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:1", 302),
        ("127.0.0.1", 302),
        ("[::1]:8080", 302),
        ("latchkey", 302),
        ("app.test", 302),
        ("rebound.attacker.com", 403),
        ("attacker.com:80", 403),
    ],
)
def test_a_name_that_a_stranger_can_point_at_us_is_refused(
    server: Server, host: str, status: int
) -> None:
    assert ask(server.port, "/auth/bypass?token=admin", headers={"Host": host}).status == status


@pytest.mark.parametrize("header", ["Sec-Purpose", "Purpose", "X-Moz"])
def test_a_prefetch_signs_nobody_in(server: Server, header: str) -> None:
    headers = {header: "prefetch;prerender"}
    answer = ask(server.port, "/auth/bypass?token=admin", headers=headers)
    assert (answer.status, answer.code) == (403, "prefetch_refused")


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "DELETE", "OPTIONS"])
def test_only_get_signs_in(server: Server, method: str) -> None:
    answer = ask(server.port, "/auth/bypass?token=admin", method)
    assert answer.status == 405
    assert answer["Allow"] == "GET"
    assert answer.all("Set-Cookie") == []


def test_from_another_site_a_page_sets_the_cookie_and_moves_on(server: Server) -> None:
    headers = {**BROWSER, "Sec-Fetch-Site": "cross-site"}
    answer = ask(server.port, "/auth/bypass?token=admin&next=/auth/me?a=1%26b=%22", headers=headers)
    assert answer.status == 200
    assert "SameSite=Strict" in answer["Set-Cookie"]
    assert 'content="0; url=/auth/me?a=1&amp;b=&#34;"' in answer.text
    for site in ("same-origin", "same-site", "none"):
        headers = {"Sec-Fetch-Site": site}
        assert ask(server.port, "/auth/bypass?token=admin", headers=headers).status == 302


def test_under_lax_a_redirect_is_enough(start: Start) -> None:
    server = start(COOKIE_SAMESITE="lax", COOKIE_NAME="__Host-session")
    headers = {"Sec-Fetch-Site": "cross-site"}
    answer = ask(server.port, "/auth/bypass?token=admin", headers=headers)
    assert answer.status == 302
    assert answer["Set-Cookie"].startswith("__Host-session=ey")
    assert "; SameSite=Lax;" in answer["Set-Cookie"]


@pytest.mark.parametrize(
    ("query", "location"),
    [
        ("next=/auth/me", "/auth/me"),
        ("rd=/auth/me", "/auth/me"),
        ("next=/a&next=/a", "/"),
        ("next=/a&rd=/b", "/"),
        ("next=//evil.example", "/"),
        ("next=https://evil.example", "/"),
        ("next=%2Fa%0D%0ASet-Cookie:x=1", "/"),
        ("next=", "/"),
    ],
)
def test_next_leads_nowhere_else(server: Server, query: str, location: str) -> None:
    answer = ask(server.port, f"/auth/bypass?token=admin&{query}")
    assert answer["Location"] == location


def test_next_may_lead_to_our_own_address_and_to_an_allowed_one(start: Start) -> None:
    server = start(ALLOWED_REDIRECTS="https://app.example.org, http://other.test:3000")
    for location in (
        f"{server.url}/auth/me",
        "https://app.example.org/deep?x=1#y",
        "http://other.test:3000/",
    ):
        answer = ask(server.port, f"/auth/bypass?token=admin&next={quote(location, safe='')}")
        assert answer["Location"] == location
    assert (
        "form-action 'self' http://other.test:3000 https://app.example.org;"
        in (answer["Content-Security-Policy"])
    )


def test_when_it_is_off_the_path_is_like_any_unknown_path(start: Start, production: Server) -> None:
    off = start(BYPASS_AUTH="false")
    for server in (off, production):
        for method in ("GET", "POST", "HEAD"):
            ours = ask(server.port, "/auth/bypass?token=admin", method)
            unknown = ask(server.port, "/auth/no-such-thing?token=admin", method)
            assert (ours.status, ours.body) == (404, unknown.body)
            names = [name for name, _ in ours.headers]
            assert names == [name for name, _ in unknown.headers]


def test_production_refuses_its_tokens_whatever_key_signed_them(
    start: Start, production: Server
) -> None:
    careless = start(JWT_SECRET_KEY=STRONG, PUBLIC_URL="https://auth.example.org")
    token = sign_in(careless.port)
    assert ask(careless.port, "/auth/me", headers=bearer(token)).status == 200
    assert ask(production.port, "/auth/me", headers=bearer(token)).code == "token_invalid"


def test_it_is_loud(server: Server, production: Server) -> None:
    sign_in(server.port, "contributor")
    assert "latchkey_bypass_enabled 1.0" in ask(server.port, "/metrics").text
    assert "latchkey_bypass_enabled 0.0" in ask(production.port, "/metrics").text
    log = server.log(until="sign_in user=contributor")
    assert " warning bypass_enabled " in log
    assert " sign_in user=contributor method=bypass " in log
    assert "bypass_enabled" not in production.log()
