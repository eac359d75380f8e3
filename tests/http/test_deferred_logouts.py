"""Logouts of CAS among many guesses: none takes the writer for nothing, no good one is lost."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest

from service.config import DatabaseUrl
from service.errors import DatabaseUnavailable, Overloaded
from service.login import cas as login_cas
from service.login import sso as login_sso
from service.providers import deferred_logouts, sessions
from service.providers.deferred_logouts import INTERVAL_SECONDS, DeferredLogouts
from service.server.run import listening
from service.telemetry import logs
from service.web import context
from tests.support import cas, sso
from tests.support.client import ask, bearer
from tests.support.environment import Settings, free_port
from tests.support.servers import Server, Start
from tests.support.sso import Asked, Scripted
from tests.support.stores import run_sql


@pytest.fixture(scope="module")
def campus() -> Iterator[Scripted]:
    with sso.scripted(lambda _: cas.success("user")) as made:
        yield made


@pytest.fixture(scope="module")
def replicas(start: Start, campus: Scripted) -> tuple[Server, Server]:
    """Return two servers on one database."""
    one = start(CAS_URL=campus.url, CAS_TRUST_USERNAMES="true")
    return one, start(beside=one)


def test_a_logout_among_guesses_ends_a_session_that_begins_at_another_replica(
    replicas: tuple[Server, Server], campus: Scripted
) -> None:
    one, two = replicas
    ticket = cas.fresh()

    def script(_asked: Asked) -> bytes:
        for _ in range(30):
            assert cas.log_out(two, cas.logout_request(cas.fresh("ST-guess"))).status == 204
        assert cas.log_out(two, cas.logout_request(ticket)).status == 204
        return cas.success("user")

    campus.script = script
    answer = cas.back(one, cas.begin(one), ticket)
    token = cas.jwt(answer)
    assert token, "the row of this logout was within the budget"
    deadline = time.monotonic() + 3 * INTERVAL_SECONDS
    while ask(one.port, "/auth/me", headers=bearer(token)).status == 200:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    handle = sha256(ticket.encode()).hexdigest()
    rows = run_sql(one.database, "SELECT handle FROM provider_sessions")
    assert handle not in str(rows)
    assert two.log().count("warning logouts_deferred") == 1


def form(ticket: str) -> dict[str, Any]:
    """Return the options of a logout request."""
    return {"data": {"logoutRequest": cas.logout_request(ticket)}}


@pytest.mark.parametrize("pending", [True, False])
async def test_logouts_over_the_budget_do_not_wait_for_the_writer(
    settings: Settings, where: DatabaseUrl, monkeypatch: pytest.MonkeyPatch, *, pending: bool
) -> None:
    """A stranger makes any ticket a pending one, by coming back with it."""
    del where
    config = settings(PORT=str(free_port()), CAS_URL="https://cas.example.org")
    async with listening(config) as app, aiohttp.ClientSession() as client:
        url = f"http://127.0.0.1:{config.port}/auth/cas"
        monkeypatch.setattr(app[login_sso.PENDING], "may_write", lambda: False)
        ticket = "ST-guess"
        handle = sha256((ticket if pending else "ST-other").encode()).hexdigest()
        with app[login_sso.PENDING].beginning(handle):
            async with app[context.DATABASE].transaction():
                for _ in range(20):
                    async with asyncio.timeout(2), client.post(url, **form(ticket)) as answer:
                        assert answer.status == 204


async def test_a_logout_that_finds_no_place_among_the_lookups_is_deferred(
    settings: Settings, where: DatabaseUrl, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A CAS server sends a logout once. A flood of guesses must not make it fail."""
    del where
    config = settings(PORT=str(free_port()), CAS_URL="https://cas.example.org")
    async with listening(config) as app, aiohttp.ClientSession() as client:
        monkeypatch.setattr(app[context.LOOKUPS], "_room", 0)
        async with client.post(
            f"http://127.0.0.1:{config.port}/auth/cas", **form("ST-refused")
        ) as answer:
            assert answer.status == 204
        assert len(app[login_cas.DEFERRED]) == 1


async def test_a_logout_between_the_last_look_and_the_commit_ends_the_sign_in(
    settings: Settings, where: DatabaseUrl, campus: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    del where
    port = free_port()
    public = f"http://localhost:{port}"
    config = settings(
        PORT=str(port), CAS_URL=campus.url, PUBLIC_URL=public, CAS_TRUST_USERNAMES="true"
    )
    campus.script = lambda _: cas.success("user")
    record, ticket = sessions.record, cas.fresh()
    async with listening(config) as app:
        url = f"http://127.0.0.1:{port}/auth/cas"

        async def ended_meanwhile(*arguments: Any) -> None:
            async with (
                aiohttp.ClientSession() as stranger,
                stranger.post(url, **form(ticket)) as answer,
            ):
                assert answer.status == 204
            await record(*arguments)

        monkeypatch.setattr(sessions, "record", ended_meanwhile)
        monkeypatch.setattr(app[login_sso.PENDING], "may_write", lambda: False)
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as client:
            async with client.get(url, allow_redirects=False) as begun:
                name, kept = next(
                    (name, morsel.value)
                    for name, morsel in begun.cookies.items()
                    if name.startswith("latchkey_cas_")
                )
            query = urlencode({"attempt": name.removeprefix("latchkey_cas_"), "ticket": ticket})
            async with client.get(
                f"{url}?{query}", headers={"Cookie": f"{name}={kept}"}, allow_redirects=False
            ) as answer:
                assert answer.status == 401
                assert "jwt" not in answer.cookies
        handle = sha256(ticket.encode()).hexdigest()
        assert not await sessions.exists(app[context.DATABASE], "cas", handle)


# --- The memory ----------------------------------------------------------------------------------


class Sessions:
    """The sessions that there are, and what was asked about them."""

    def __init__(self) -> None:
        self.there: set[str] = set()
        self.asked: list[int] = []
        self.ended: list[str] = []
        self.is_down = False

    async def find(self, handles: Sequence[str]) -> set[str]:
        """Return those that there are."""
        if self.is_down:
            raise DatabaseUnavailable
        self.asked.append(len(handles))
        return self.there & set(handles)

    async def end(self, handle: str) -> None:
        """Note what is ended."""
        self.ended.append(handle)


async def test_a_session_is_looked_for_until_no_sign_in_can_begin_it() -> None:
    now, found = [0.0], Sessions()
    deferred = DeferredLogouts(lambda: now[0])
    deferred.add("a")
    now[0] = 10.0
    deferred.add("a")
    deferred.add("b")
    await deferred.look(found.find, found.end)
    found.there = {"a", "b"}
    now[0], found.is_down = 20.5, True
    with pytest.raises(DatabaseUnavailable):
        await deferred.look(found.find, found.end)
    found.is_down = False
    await deferred.look(found.find, found.end)
    assert (sorted(found.ended), len(deferred)) == (["a", "b"], 0)


async def test_what_was_guessed_is_forgotten_after_a_last_look() -> None:
    now, found = [0.0], Sessions()
    deferred = DeferredLogouts(lambda: now[0])
    for number in range(1200):
        deferred.add(str(number))
    now[0] = 20.5
    await deferred.look(found.find, found.end)
    assert (found.asked, found.ended, len(deferred)) == ([500, 500, 200], [], 0)


def test_when_too_many_wait_the_provider_has_to_repeat(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines: list[object] = []
    monkeypatch.setattr(logs, "event", lambda name, **fields: lines.append((name, fields)))
    monkeypatch.setattr(deferred_logouts, "AT_MOST", 2)
    now = [0.0]
    deferred = DeferredLogouts(lambda: now[0])
    deferred.add("a")
    deferred.add("b")
    deferred.add("a")
    now[0] = 61.0
    with pytest.raises(Overloaded):
        deferred.add("c")
    assert len(deferred) == 2
    assert lines == [
        ("logouts_deferred", {"level": logs.WARNING, "waiting": 0}),
        ("logouts_refused", {"level": logs.WARNING, "waiting": 2}),
    ]
