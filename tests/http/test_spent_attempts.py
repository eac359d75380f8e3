"""Callbacks of attempts that are spent: after Back, a reload, or with many tabs at once."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html import unescape
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import pytest

from tests.support import cas, openid, sso
from tests.support.client import BROWSER, Answer, ask
from tests.support.evil import SUBJECT, Evil
from tests.support.openid_sign_in import CROSS_SITE, RSA, evil, settings_for
from tests.support.servers import Server, Start
from tests.support.sso import Scripted

__all__ = ["evil"]

LINK = {"oidc": "/auth/oidc", "cas": "/auth/cas"}
PARAMETER = {"oidc": "state", "cas": "attempt"}
GOALS = ["/deep?a=1&b=%2F#part", "/auth/me", "/" + "a" * 600]


@pytest.fixture(scope="module")
def campus() -> Iterator[Scripted]:
    with sso.scripted(lambda _: cas.success("user")) as made:
        yield made


@pytest.fixture(scope="module")
def server(start: Start, evil: Evil, campus: Scripted) -> Server:
    made = start(
        **settings_for(evil),
        CAS_URL=campus.url,
        CAS_TRUST_USERNAMES="true",
        ALLOWED_REDIRECTS="https://app.example.org",
    )
    openid.link(made, "user", SUBJECT)
    return made


class Jar:
    """A browser's cookies: those of our host, whatever their path."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.cookies: dict[str, str] = {}

    def get(self, path: str, **headers: str) -> Answer:
        """Ask with the cookies, and take those of the answer; follow no redirect."""
        sent = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        answer = ask(self.server.port, path, headers={**sent, **headers})
        for line in answer.all("Set-Cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies.pop(name, None)
            if value:
                self.cookies[name] = value
        return answer


@dataclass(frozen=True)
class Tab:
    """An attempt of a browser, with the callback that the provider sends it to."""

    jar: Jar
    callback: str

    def back(self, **headers: str) -> Answer:
        """Come back from the provider, or once more."""
        return self.jar.get(self.callback, **headers)


@pytest.fixture(params=["oidc", "cas"])
def method(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def set_out(evil: Evil, method: str) -> Callable[..., Tab]:
    """Return what starts an attempt in a browser. The provider will say yes."""

    def start_attempt(jar: Jar, goal: str) -> Tab:
        started = jar.get(f"{LINK[method]}?{urlencode({'next': goal})}")
        assert started.status == 302, started.text
        return tab_of(jar, evil, started)

    return start_attempt


def tab_of(jar: Jar, evil: Evil, started: Answer) -> Tab:
    """Return the tab that a redirect to the provider leads to."""
    question = dict(parse_qsl(urlsplit(started["Location"]).query))
    if "service" in question:
        target = urlsplit(question["service"])
        return Tab(jar, f"{target.path}?{target.query}&ticket={cas.fresh()}")

    def tokens(asked: Any) -> tuple[int, dict[str, Any]]:
        nonce = nonces[asked.form["code"]]
        id_token = RSA.sign(
            evil.claims(_Nonce(nonce))  # type: ignore[arg-type]  # it has what the claims need
        )
        return 200, {"access_token": "a", "token_type": "Bearer", "id_token": id_token}

    code = f"code-{len(nonces)}"
    nonces[code] = question["nonce"]
    evil.replies["/token"] = tokens
    query = urlencode({"code": code, "state": question["state"]})
    return Tab(jar, f"/auth/oidc/callback?{query}")


nonces: dict[str, str] = {}


@dataclass(frozen=True)
class _Nonce:
    nonce: str

    @property
    def question(self) -> dict[str, str]:
        return {"nonce": self.nonce}


def again_link(page: Answer) -> str:
    """Return where `Try again` leads to."""
    match = re.search(r'href="([^"]*)">Try again</a>', page.text)
    assert match is not None, page.text
    return unescape(match[1])


def onward(page: Answer) -> str:
    """Return where a page leads to by itself."""
    match = re.search(r'http-equiv="refresh" content="0; url=([^"]*)"', page.text)
    assert match is not None, page.text
    return unescape(match[1])


Start_ = Callable[[Jar, str], Tab]


@pytest.mark.parametrize("goal", GOALS)
def test_a_callback_that_is_repeated_leads_who_is_signed_in_on(
    server: Server, set_out: Start_, goal: str
) -> None:
    tab = set_out(Jar(server), goal)
    assert tab.back()["Location"] == goal
    session = tab.jar.cookies["jwt"]
    for headers in ({}, BROWSER, {**BROWSER, "Sec-Fetch-Site": "none"}, {**BROWSER, **CROSS_SITE}):
        answer = tab.back(**headers)
        assert (answer.status, answer["Location"]) == (302, goal)
    assert tab.jar.cookies["jwt"] == session


def test_a_browser_that_withholds_the_cookie_comes_again_by_a_page(
    server: Server, set_out: Start_
) -> None:
    """Under `SameSite=Strict` it sends no cookie after the redirect from the provider's site."""
    tab = set_out(Jar(server), "/deep")
    tab.back()
    session = tab.jar.cookies.pop("jwt")
    page = tab.back(**BROWSER, **CROSS_SITE)
    assert (page.status, page.all("Set-Cookie")) == (400, [])
    landed = onward(page)
    assert landed.startswith(urlsplit(tab.callback).path)
    assert not {"code", "ticket"} & parse_qs(urlsplit(landed).query).keys()
    same = {**BROWSER, "Sec-Fetch-Site": "same-origin"}
    refused = tab.jar.get(landed, **same)
    assert (refused.status, "attempt_unknown" in refused.text) == (400, True)
    assert "http-equiv" not in refused.text  # no circles
    tab.jar.cookies["jwt"] = session
    assert tab.jar.get(landed, **same)["Location"] == "/deep"


def test_a_browser_that_reports_no_site_comes_again_once(server: Server, set_out: Start_) -> None:
    tab = set_out(Jar(server), "/deep")
    tab.jar.cookies.clear()
    page = tab.back(**BROWSER)
    assert (page.status, "attempt_unknown" in page.text) == (400, True)
    assert "http-equiv" not in tab.jar.get(onward(page), **BROWSER).text


def test_a_landed_callback_uses_nothing_up(server: Server, set_out: Start_) -> None:
    tab = set_out(Jar(server), "/deep")
    assert ask(server.port, f"{tab.callback}&landed=1").code == "attempt_unknown"
    cookies = dict(tab.jar.cookies)
    assert tab.jar.get(f"{tab.callback}&landed=1").code == "attempt_unknown"
    assert tab.jar.cookies == cookies
    assert tab.back()["Location"] == "/deep"


def test_try_again_keeps_the_deep_link_without_the_cookie(
    server: Server, set_out: Start_, method: str
) -> None:
    tab = set_out(Jar(server), "/deep?a=1&b=2")
    tab.jar.cookies.clear()
    page = tab.back(**BROWSER)
    assert page.status == 400
    assert again_link(page) == f"{LINK[method]}?next=%2Fdeep%3Fa%3D1%26b%3D2"
    assert tab.back().code == "attempt_unknown"


def test_what_a_stranger_appends_leads_nowhere(
    server: Server, set_out: Start_, method: str
) -> None:
    """The goal is encrypted for its attempt: nobody changes it, or takes another's."""
    jar = Jar(server)
    tab, other = set_out(jar, "/deep"), set_out(jar, "/other")
    tab.back()
    own, others = (
        parse_qs(urlsplit(each.callback).query)[PARAMETER[method]][0] for each in (tab, other)
    )
    swapped = own.partition(".")[0] + "." + others.partition(".")[2]
    path = urlsplit(tab.callback).path
    forged = ["x", own[:-1], own + "A", swapped, f"{own}.x", "https://evil.example", "." * 5000]
    forged += [own.partition(".")[0], f"{'A' * 22}.{own.partition('.')[2]}", "\0", "é"]
    for reference in forged:
        query = {PARAMETER[method]: reference, "code": "c", "ticket": cas.fresh()}
        answer = jar.get(f"{path}?{urlencode(query)}")
        assert (answer.status, answer["Location"]) == (302, "/"), reference
    twice = urlencode([(PARAMETER[method], own)] * 2)
    assert jar.get(f"{path}?{twice}&ticket={cas.fresh()}")["Location"] == "/"


@pytest.mark.parametrize(
    ("goal", "found"),
    [
        ("https://app.example.org/x", "https://app.example.org/x"),
        ("https://evil.example/x", "/"),
        ("//evil.example", "/"),
        ("/auth/logout", "/"),
        ("/auth/oidc/callback", "/"),
    ],
)
def test_a_spent_attempt_leads_only_where_a_sign_in_may(
    server: Server, set_out: Start_, goal: str, found: str
) -> None:
    tab = set_out(Jar(server), goal)
    assert tab.back()["Location"] == found
    assert tab.back()["Location"] == found


def test_a_goal_that_is_no_longer_allowed_is_not_one(
    server: Server, start: Start, set_out: Start_
) -> None:
    tab = set_out(Jar(server), "https://app.example.org/x")
    tab.back()
    stricter = start(beside=server, ALLOWED_REDIRECTS="")
    tab.jar.server = stricter
    assert tab.back()["Location"] == "/"


@pytest.mark.parametrize("ending", ["sign out", "disable"])
def test_who_has_no_session_any_more_is_not_led_on(
    server: Server, set_out: Start_, ending: str
) -> None:
    tab = set_out(Jar(server), "/deep")
    tab.back()
    jwt = {"Cookie": f"jwt={tab.jar.cookies['jwt']}"}
    if ending == "sign out":
        ask(server.port, "/auth/logout", "POST", headers=jwt)
    else:
        assert server.cli("user", "disable", "user").returncode == 0
    try:
        answer = tab.back()
        while answer.status == 302 and ending == "disable":  # heard of within a second
            answer = tab.back()
        assert (answer.status, answer.code) == (400, "attempt_unknown")
    finally:
        server.cli("user", "enable", "user")


def test_a_callback_that_arrives_twice_at_once_leads_on(server: Server, set_out: Start_) -> None:
    """The second still has the cookie of the attempt, and by now that of the session."""
    tab = set_out(Jar(server), "/deep")
    before = dict(tab.jar.cookies)
    tab.back()
    tab.jar.cookies.update(before)
    answer = tab.back()
    assert (answer.status, answer["Location"]) == (302, "/deep")
    assert not before.keys() & tab.jar.cookies.keys()


def test_twelve_tabs_all_arrive(server: Server, set_out: Start_, evil: Evil) -> None:
    """A browser keeps few attempts. Those that gave way start again, or lead on."""
    jar = Jar(server)
    tabs = [set_out(jar, f"/tab/{number}") for number in range(12)]
    landed = []
    for number, tab in enumerate(tabs):
        answer = tab.back()
        if answer["Location"].startswith("/auth/"):
            answer = tab_of(jar, evil, jar.get(answer["Location"])).back()
        assert answer["Location"] == f"/tab/{number}"
        landed.append("jwt" in jar.cookies)
    assert all(landed)


def test_an_attempt_that_gave_way_starts_again_after_a_page_too(
    server: Server, set_out: Start_, method: str
) -> None:
    jar = Jar(server)
    tabs = [set_out(jar, f"/tab/{number}") for number in range(7)]
    page = tabs[0].back(**BROWSER, **CROSS_SITE)
    answer = jar.get(onward(page), **BROWSER, **{"Sec-Fetch-Site": "same-origin"})
    assert answer["Location"] == f"{LINK[method]}?next=%2Ftab%2F0"


def test_an_attempt_without_an_answer_of_the_provider_does_not_start_again(
    server: Server, set_out: Start_
) -> None:
    jar = Jar(server)
    tabs = [set_out(jar, f"/tab/{number}") for number in range(7)]
    parts = urlsplit(tabs[0].callback)
    left = [each for each in parse_qsl(parts.query) if each[0] not in {"code", "ticket"}]
    query = urlencode([*left, ("error", "access_denied")])
    assert jar.get(f"{parts.path}?{query}").code == "attempt_unknown"


def test_a_browser_that_keeps_no_cookies_does_not_start_again(
    server: Server, set_out: Start_
) -> None:
    tab = set_out(Jar(server), "/deep")
    for cookie in ("", f"latchkey_oidc_{'A' * 22}=x; latchkey_cas_{'A' * 22}=x"):
        answer = ask(server.port, tab.callback, headers={"Cookie": cookie})
        assert answer.code == "attempt_unknown"


def test_the_goal_is_not_readable_on_its_way(server: Server, set_out: Start_) -> None:
    tab = set_out(Jar(server), "/payroll")
    assert "payroll" not in tab.callback
