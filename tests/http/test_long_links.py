"""Links that a sign-in comes back to: up to 8,000 characters, and what people see above that."""

import base64
import hashlib
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from service.login.sso import attempt, attempt_cookies
from service.parsing.urls import MOST_NEXT
from tests.support.cas import back, begin, fresh
from tests.support.cas_sign_in import link, provider, server
from tests.support.client import BROWSER, ask, cookie, sign_in
from tests.support.forwarded import NAVIGATION, PUBLIC, behind, verify
from tests.support.servers import Server, Start
from tests.support.sso import Scripted

__all__ = ["behind", "provider", "server"]

APP = "https://app.example.org"
STORES = ("sqlite",)  # no store has a part in this

# Text that cannot be compressed much.
RANDOM = base64.urlsafe_b64encode(
    b"".join(hashlib.sha256(bytes([number])).digest() for number in range(250))
).decode()[:MOST_NEXT]
LONGEST = {
    "random": f"/{RANDOM[1:]}",
    "plain": "/".ljust(MOST_NEXT, "a"),
    "encoded": ("/" + "%C3%A9" * (MOST_NEXT // 6)),
    "query": "/deep?q=".ljust(MOST_NEXT, "&"),
}
TOO_LONG = "too long to come back to"


@pytest.mark.parametrize("kind", LONGEST)
def test_a_long_link_survives_the_sign_in_at_a_provider(server: Server, kind: str) -> None:
    link(server, "user", kind)
    started = begin(server, f"?next={quote(LONGEST[kind], safe='')}")
    done = back(server, started, fresh(f"ST-{kind}"))
    assert (done.status, done["Location"]) == (302, LONGEST[kind])
    ended = [line for line in done.all("Set-Cookie") if "latchkey_cas" in line]
    assert len(ended) == started.cookie.count("latchkey_cas_")
    assert all("=; " in line and "Max-Age=0" in line for line in ended)


def test_its_cookies_fit_into_a_browser_and_a_header_line(server: Server) -> None:
    jar: dict[str, str] = {}
    for _ in range(5):
        sent = "; ".join(f"{name}={value}" for name, value in jar.items())
        answer = ask(
            server.port,
            f"/auth/cas?next={LONGEST['random']}",
            headers={"Cookie": sent},
        )
        for line in answer.all("Set-Cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            jar.pop(name, None)
            if value:
                assert len(name) + len(value) <= 4096
                jar[name] = value
        assert sum(map(len, jar.values())) < attempt_cookies.ALL_LENGTH
    assert {name.partition(".")[0] for name in jar} == {next(iter(jar)).partition(".")[0]}


@pytest.mark.parametrize("missing", ["first", "last", "exchanged"])
def test_an_attempt_without_one_of_its_cookies_is_none(server: Server, missing: str) -> None:
    started = begin(server, f"?next={LONGEST['random']}")
    pairs = started.cookie.split("; ")
    assert len(pairs) > 2
    if missing == "exchanged":
        names, values = zip(*(pair.split("=") for pair in pairs), strict=True)
        pairs = [f"{name}={value}" for name, value in zip(names, reversed(values), strict=True)]
    else:
        del pairs[0 if missing == "first" else -1]
    answer = back(server, started, fresh("ST-lost"), cookie="; ".join(pairs))
    assert (answer.status, answer.code) == (400, "attempt_unknown")


@pytest.mark.parametrize("path", ["/auth/cas", "/auth/login"])
def test_above_the_limit_the_sign_in_page_says_so(server: Server, path: str) -> None:
    answer = ask(server.port, f"{path}?next={LONGEST['plain']}a", headers=BROWSER)
    if answer.status == 302:
        answer = ask(server.port, answer["Location"], headers=BROWSER)
    assert TOO_LONG in answer.text
    assert "Sign in, then open it again" in answer.text


def test_the_page_says_so_even_if_it_leads_straight_to_the_provider(
    start: Start, provider: Scripted
) -> None:
    server = start(CAS_URL=f"{provider.url}/cas", SIGN_IN_REDIRECT="true", BYPASS_AUTH="false")
    assert ask(server.port, "/auth/login?next=/x", headers=BROWSER).status == 302
    answer = ask(server.port, f"/auth/cas?next={LONGEST['plain']}a", headers=BROWSER)
    assert answer["Location"] == attempt.TOO_LONG
    assert TOO_LONG in ask(server.port, answer["Location"], headers=BROWSER).text


@pytest.mark.parametrize("target", ["//evil.example/", "https://evil.example/", "javascript:"])
def test_a_link_that_is_not_allowed_is_not_called_long(server: Server, target: str) -> None:
    answer = ask(server.port, f"/auth/login?next={target}{'a' * 9000}", headers=BROWSER)
    assert (answer.status, TOO_LONG in answer.text) == (200, False)


@pytest.mark.parametrize("proxy", ["nginx", "haproxy", "caddy", "traefik"])
@pytest.mark.parametrize("kind", LONGEST)
def test_a_proxy_leads_back_to_a_long_link(behind: Server, proxy: str, kind: str) -> None:
    answer = asked(behind, proxy, LONGEST[kind])
    query = parse_qs(urlsplit(answer).query)
    assert query == {"next": [APP + LONGEST[kind]]}
    page = ask(behind.port, answer.removeprefix(PUBLIC), headers=BROWSER)
    assert (page.status, TOO_LONG in page.text) == (200, False)


@pytest.mark.parametrize("proxy", ["nginx", "haproxy", "caddy", "traefik"])
def test_a_proxy_leads_to_a_page_that_says_what_is_too_long(behind: Server, proxy: str) -> None:
    for more in (1, 20_000):
        answer = asked(behind, proxy, LONGEST["plain"] + "a" * more)
        assert answer == f"{PUBLIC}/auth/login?too_long=1"
    token = sign_in(behind.port)
    for headers in ({}, cookie(token)):
        page = ask(behind.port, "/auth/login?too_long=1", headers={**BROWSER, **headers})
        assert TOO_LONG in page.text
    assert "You are signed in: open it again" in page.text
    foreign = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", **BROWSER}
    moving = ask(behind.port, "/auth/login?too_long=1", headers=foreign)
    assert "too_long=1" in moving.text


def asked(server: Server, proxy: str, target: str) -> str:
    headers = (
        {"X-Original-Method": "GET", "X-Original-URL": APP + target}
        if proxy in {"nginx", "haproxy"}
        else {
            "X-Forwarded-Method": "GET",
            "X-Forwarded-Proto": "https",
            "X-Forwarded-Host": "app.example.org",
            "X-Forwarded-Uri": target,
        }
    )
    return verify(server, f"?proxy={proxy}", **headers, **NAVIGATION)["Location"]
