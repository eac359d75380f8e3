"""An OpenID provider that is down, slow or wrong, and other sign-ins meanwhile."""

import threading
import time
from typing import Any

import pytest

from tests.support import cas, sso
from tests.support.client import BROWSER, Answer, ask
from tests.support.evil import Evil, begin, running
from tests.support.keyfiles import within
from tests.support.openid_sign_in import (
    RSA,
    evil,
    is_in,
    quiet,
    server,
    session_of,
    settings_for,
    sign_in,
)
from tests.support.servers import Server, Start

__all__ = ["evil", "quiet", "server"]


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
