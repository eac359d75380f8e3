"""What a real nginx, Caddy and HAProxy ask Latchkey, and what they make of its answers."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.client import cookie
from tests.support.proxied import NAVIGATION, SPELLINGS, fresh
from tests.support.proxies import PROGRAMS, deployed, deployed_beside
from tests.support.proxy_site import IDENTITY, Application, Deployment
from tests.support.servers import Start

STORES = ("sqlite",)  # no store has a part in this


GONE = {500, 502, 503, 504}
ANSWER = {name: f"the {name.rpartition('-')[2]}" for name in IDENTITY}


@pytest.mark.parametrize("program", PROGRAMS)
def test_without_latchkey_nobody_passes(program: str, tmp_path: Path, start: Start) -> None:
    with deployed(program, tmp_path, start) as site:
        token = site.sign_in()
        assert site.ask(headers=cookie(token)).text == "admin"
        site.application.received.clear()
        site.server.process.send_signal(signal.SIGSTOP)
        try:
            assert site.ask(headers={**NAVIGATION, **cookie(token)}).status in GONE
        finally:
            site.server.process.send_signal(signal.SIGCONT)
        assert site.application.received == []
        assert site.ask(headers=cookie(token)).text == "admin"
        site.application.received.clear()
        site.server.process.kill()
        for headers in (cookie(token), {}, {**NAVIGATION, **cookie(token)}):
            answer = site.ask(headers=headers)
            assert answer.status in GONE
            assert answer.all("Location") == []
        assert site.ask("/admin/x", headers=cookie(token)).status in GONE
        assert site.talk("hello", cookie(token)).status in GONE
        assert site.application.received == []
        assert site.ask("/public/x").status == 200


@pytest.fixture(scope="module", params=PROGRAMS)
def beside(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Deployment, Application]]:
    """Yield a deployment, and what it asks in the place of Latchkey."""
    folder = tmp_path_factory.mktemp(request.param)
    with (
        Application() as other,
        deployed_beside(other, request.param, folder) as deployment,
    ):
        yield deployment, other


@pytest.fixture
def asked(beside: tuple[Deployment, Application]) -> tuple[Deployment, Application]:
    """Return the same, without memories; who is asked lets everybody pass."""
    return fresh(beside, ANSWER)


def test_latchkey_is_asked_and_nothing_more(asked: tuple[Deployment, Application]) -> None:
    site, other = asked
    headers = {
        **NAVIGATION,
        "Cookie": "a=1; jwt=x",
        "Authorization": "Bearer y",
        "Content-Type": "text/plain",
        "Expect": "",
    }
    for number in range(20):
        answer = site.ask(f"/a?{number}", "POST", headers=headers, body=b"x" * 100_000)
        assert answer.status == 200
    assert len(site.application.received) == len(other.received) == 20
    for question in other.received:
        assert (question.method, question.body_bytes) == ("GET", 0)
        assert question.target == f"/auth/verify?proxy={site.program}"
        assert question.all("Transfer-Encoding") == []
        assert question.all("Content-Length") in ([], ["0"])
        assert (question["Cookie"], question["Authorization"]) == ("jwt=x", "Bearer y")
        assert question["Sec-Fetch-Mode"] == "navigate"
    assert len({question.peer for question in other.received}) < 5
    site.ask("/admin/x")
    assert other.received[-1].target == f"/auth/verify?proxy={site.program}&role=manage_users"
    (told,) = (each for each in site.application.received if each.target == "/admin/x")
    assert {name: told[name] for name in IDENTITY} == ANSWER


@pytest.mark.parametrize("status", [302, 307, 404, 500, 503])
def test_an_answer_that_is_none_lets_nobody_pass(
    asked: tuple[Deployment, Application], status: int
) -> None:
    site, other = asked
    other.answers["/auth/verify"] = status, {**ANSWER, "Location": "https://auth.example.org/"}
    answer = site.ask(headers=NAVIGATION)
    assert answer.status == status or answer.status >= 500
    assert site.application.received == []


def test_a_header_that_latchkey_leaves_out_is_not_the_clients(
    asked: tuple[Deployment, Application],
) -> None:
    site, other = asked
    for missing in IDENTITY:
        other.answers["/auth/verify"] = 200, {k: v for k, v in ANSWER.items() if k != missing}
        forged = [(name_of(missing), "forged") for name_of in SPELLINGS.values()]
        assert site.ask(headers=forged).status in {200, 500, 503}
    assert "forged" not in str(site.application.received)
