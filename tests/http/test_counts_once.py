"""An answer of a provider begins one session over all replicas; a logout that overtakes it, none.

The providers here say yes each time.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import pytest

from service.db import NOW, Database
from service.login.sso import PendingSignIns
from service.providers import recent_logouts, used_answers
from tests.support import cas, openid, sso
from tests.support.client import Answer, ask, bearer
from tests.support.evil import Asked as OidcAsked
from tests.support.evil import Attempt, Evil, Reply, begin
from tests.support.openid_sign_in import RSA, evil, settings_for
from tests.support.servers import Server, Start
from tests.support.sso import Asked, Scripted
from tests.support.stores import run_sql

__all__ = ["evil"]

pytestmark = pytest.mark.both_stores

COPIES = 8
PATIENCE = 20


@pytest.fixture(scope="module")
def campus() -> Iterator[Scripted]:
    with sso.scripted(lambda _: cas.success("user")) as made:
        yield made


@pytest.fixture(autouse=True)
def quiet(evil: Evil, campus: Scripted) -> None:
    """Let the providers say yes."""
    evil.replies.clear()
    campus.script = lambda _: cas.success("user")


@pytest.fixture(scope="module")
def replicas(start: Start, evil: Evil, campus: Scripted) -> tuple[Server, Server]:
    """Return two servers on one database, with both kinds of providers."""
    one = start(**settings_for(evil), CAS_URL=campus.url, CAS_TRUST_USERNAMES="true")
    for name in ("user", "manager"):
        openid.link(one, name, f"subject-of-{name}")
    return one, start(beside=one)


def sessions(server: Server) -> int:
    """Count the sessions that providers have opened."""
    return len(run_sql(server.database, "SELECT sid FROM provider_sessions"))


def at_once(sends: list[Callable[[], Answer]]) -> list[Answer]:
    """Send requests at the same moment; return the answers."""
    barrier = threading.Barrier(len(sends))

    def send(each: Callable[[], Answer]) -> Answer:
        barrier.wait(PATIENCE)
        return each()

    with ThreadPoolExecutor(len(sends)) as pool:
        return list(pool.map(send, sends))


def signed_in(answers_: list[Answer]) -> list[Answer]:
    """Return the answers that set the cookie of a session."""
    return [answer for answer in answers_ if cas.jwt(answer)]


def assert_one(server: Server, before: int, came: list[Answer]) -> None:
    """Assert that one session began, and that the others were told why none did."""
    assert len(signed_in(came)) == 1
    assert sessions(server) == before + 1
    assert {answer.code for answer in came if not cas.jwt(answer)} <= {
        "attempt_unknown",
        "sign_in_refused",
    }
    assert all(answer.status in {302, 400, 401} for answer in came)


# --- Once ----------------------------------------------------------------------------------------


def together(campus: Scripted) -> None:
    """Let the CAS server answer when all copies have been asked about."""
    barrier = threading.Barrier(COPIES)

    def script(_asked: Asked) -> bytes:
        with contextlib.suppress(threading.BrokenBarrierError):
            barrier.wait(3)
        return cas.success("user")

    campus.script = script


def test_a_ticket_counts_once(replicas: tuple[Server, Server], campus: Scripted) -> None:
    one, _ = replicas
    before, attempt, ticket = sessions(one), cas.begin(one), cas.fresh()
    together(campus)
    came = at_once(
        [lambda n=n: cas.back(replicas[n % 2], attempt, ticket) for n in range(COPIES)]  # type: ignore[misc]
    )
    assert_one(one, before, came)


def test_an_attempt_counts_once_whichever_ticket_it_brings(
    replicas: tuple[Server, Server], campus: Scripted
) -> None:
    one, _ = replicas
    before, attempt = sessions(one), cas.begin(one)
    together(campus)
    came = at_once(
        [lambda n=n: cas.back(replicas[n % 2], attempt, cas.fresh()) for n in range(COPIES)]  # type: ignore[misc]
    )
    assert_one(one, before, came)


def moved(attempt: Attempt, server: Server) -> Attempt:
    """Return an attempt whose browser comes back to another replica."""
    return Attempt(server.port, attempt.start, attempt.cookies, attempt.question, attempt.callback)


def test_a_state_counts_once(replicas: tuple[Server, Server], evil: Evil) -> None:
    one, _ = replicas
    before, attempt = sessions(one), begin(one.port)
    tokens = {"id_token": RSA.sign(evil.claims(attempt, sub="subject-of-user"))}
    barrier = threading.Barrier(2)

    def reply(_asked: OidcAsked) -> Reply:
        with contextlib.suppress(threading.BrokenBarrierError):
            barrier.wait(3)
        return 200, {**tokens, "access_token": "x", "token_type": "Bearer"}

    evil.replies["/token"] = reply
    came = at_once(
        [
            lambda n=n: moved(attempt, replicas[n % 2]).come_back(attempt.good())  # type: ignore[misc]
            for n in range(COPIES)
        ]
    )
    assert_one(one, before, came)
    assert cas.jwt(moved(attempt, replicas[1]).come_back(attempt.good())) is None
    assert sessions(one) == before + 1


def test_an_attempt_that_only_begins_writes_nothing(
    replicas: tuple[Server, Server], campus: Scripted
) -> None:
    one, _ = replicas

    def rows() -> list[int]:
        tables = ("used_answers", "provider_logouts", "provider_sessions")
        return [len(run_sql(one.database, f"SELECT 1 FROM {table}")) for table in tables]  # noqa: S608

    before = rows()
    for _ in range(5):
        cas.begin(one)
        begin(one.port)
        campus.script = lambda _: cas.failure("INVALID_TICKET")
        assert cas.back(one, cas.begin(one)).code == "sign_in_refused"
    assert rows() == before


# --- A logout that is quicker than the sign-in ---------------------------------------------------


@pytest.mark.parametrize("hears", [0, 1], ids=["this replica", "the other"])
def test_a_ticket_that_ends_while_it_is_checked_begins_no_session(
    replicas: tuple[Server, Server], campus: Scripted, hears: int
) -> None:
    one, before, ticket = replicas[0], sessions(replicas[0]), cas.fresh()

    def script(_asked: Asked) -> bytes:
        assert cas.log_out(replicas[hears], cas.logout_request(ticket)).status == 204
        return cas.success("user")

    campus.script = script
    answer = cas.back(one, cas.begin(one, "?next=/auth/me"), ticket, **cas.PAGE)
    assert answer.status == 401
    assert "sign_in_refused" in answer.text
    assert "Other ways to sign in" in answer.text
    assert cas.jwt(answer) is None
    assert sessions(one) == before
    campus.script = lambda _: cas.success("user")
    assert cas.jwt(cas.sign_in(one))


@pytest.mark.parametrize("hears", [0, 1], ids=["this replica", "the other"])
@pytest.mark.parametrize("said", ["sid", "sub", "both"])
@pytest.mark.parametrize("named", [True, False], ids=["with a sid", "without"])
def test_a_session_that_ends_while_it_begins_does_not_begin(
    replicas: tuple[Server, Server], evil: Evil, hears: int, said: str, *, named: bool
) -> None:
    one, sid = replicas[0], f"sid of {said} {hears}"
    attempt = begin(one.port)
    ended: dict[str, Any] = {"sub": None if said == "sid" else "subject-of-user"}
    ended |= {"sid": sid} if said != "sub" else {}
    told = {"sid": sid} if named else {}
    token = RSA.sign(evil.claims(attempt, sub="subject-of-user", **told))

    def reply(_asked: OidcAsked) -> Reply:
        text = quote(evil.logout_token(**ended))
        answer = ask(
            replicas[hears].port,
            "/auth/oidc/logout",
            "POST",
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            body=f"logout_token={text}".encode(),
        )
        assert answer.status == 200
        return 200, {"id_token": token, "access_token": "x", "token_type": "Bearer"}

    evil.replies["/token"] = reply
    answer = attempt.come_back(attempt.good())
    if said == "sid" and not named:  # nothing says that it is this session
        assert cas.jwt(answer)
        return
    assert (answer.status, answer.code) == (401, "sign_in_refused")
    assert cas.jwt(answer) is None
    evil.answers(token)
    assert cas.jwt(moved(attempt, replicas[1]).come_back(attempt.good())) is None


def test_a_logout_of_somebody_else_or_of_before_ends_no_sign_in(
    replicas: tuple[Server, Server], evil: Evil
) -> None:
    one, other = replicas

    def say(**claims: Any) -> None:
        text = quote(evil.logout_token(**claims))
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        body = f"logout_token={text}".encode()
        assert (
            ask(other.port, "/auth/oidc/logout", "POST", headers=headers, body=body).status == 200
        )

    say(sub="subject-of-user")  # before the browser comes back
    attempt = begin(one.port)
    token = RSA.sign(evil.claims(attempt, sub="subject-of-user", sid="mine"))

    def reply(_asked: OidcAsked) -> Reply:
        say(sub="subject-of-manager")
        say(sub="subject-of-user", sid="another")
        say(sub="subject-of-manager", sid="mine")
        say(sub="subject-of-user", iat=evil.claims(attempt)["iat"] - 100)  # late, of another time
        return 200, {"id_token": token, "access_token": "x", "token_type": "Bearer"}

    evil.replies["/token"] = reply
    answer = attempt.come_back(attempt.good())
    assert answer.status == 302, answer.text
    assert ask(one.port, "/auth/me", headers=bearer(str(cas.jwt(answer)))).status == 200


def test_a_logout_that_the_provider_dates_after_the_sign_in_counts_before_the_browser_is_back(
    replicas: tuple[Server, Server], evil: Evil
) -> None:
    one, _ = replicas
    attempt = begin(one.port)
    claims = evil.claims(attempt, sub="subject-of-user")
    earlier = RSA.sign({**claims, "iat": claims["iat"] - 5})
    text = quote(evil.logout_token(sub="subject-of-user"))
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    body = f"logout_token={text}".encode()
    assert ask(one.port, "/auth/oidc/logout", "POST", headers=headers, body=body).status == 200
    evil.answers(earlier)
    assert attempt.come_back(attempt.good()).code == "sign_in_refused"
    later = begin(one.port)
    evil.answers(RSA.sign(evil.claims(later, sub="subject-of-user")))
    assert cas.jwt(later.come_back(later.good()))


@pytest.mark.parametrize("odd", ["ST-%ff", "ST-%ed%a0%80", "ST-1%00", "&ticket=ST-1"])
def test_an_odd_ticket_is_refused(replicas: tuple[Server, Server], odd: str) -> None:
    one, _ = replicas
    attempt = cas.begin(one)
    answer = cas.back(one, attempt, query=f"attempt={attempt.id}&ticket={odd}")
    assert answer.status == 400


def test_guesses_of_strangers_are_few_rows(replicas: tuple[Server, Server]) -> None:
    one, _ = replicas

    def rows() -> int:
        return len(run_sql(one.database, "SELECT id FROM provider_logouts"))

    before = rows()
    for _ in range(300):
        assert cas.log_out(one, cas.logout_request(cas.fresh("ST-guess"))).status == 204
    written = rows() - before
    assert written < 250
    ticket = str(cas.fresh())
    token = str(cas.jwt(cas.sign_in(one, ticket)))
    assert cas.log_out(one, cas.logout_request(ticket)).status == 204
    assert ask(one.port, "/auth/me", headers=bearer(token)).code == "token_revoked"


def test_a_flood_of_guesses_does_not_save_a_sign_in_of_the_same_process(
    replicas: tuple[Server, Server], campus: Scripted
) -> None:
    one, before, ticket = replicas[0], sessions(replicas[0]), cas.fresh()

    def script(_asked: Asked) -> bytes:
        for _ in range(150):
            cas.log_out(one, cas.logout_request(cas.fresh("ST-flood")))
        assert cas.log_out(one, cas.logout_request(ticket)).status == 204
        return cas.success("user")

    campus.script = script
    attempt = cas.begin(one)
    answer = cas.back(one, attempt, ticket)
    assert answer.code == "sign_in_refused"
    campus.script = lambda _: cas.success("user")
    assert cas.back(one, attempt, ticket).code == "attempt_unknown"
    assert sessions(one) == before


# --- The rows, and the memory --------------------------------------------------------------------


async def test_an_answer_is_used_once_and_remembered_longer_than_it_is_good(
    database: Database,
) -> None:
    async def use(provider: str, digest: str) -> bool:
        async with database.transaction() as tx:
            return await used_answers.use_once(tx, provider, digest)

    used = [await use(*each) for each in (("a", "1"), ("a", "1"), ("a", "2"), ("b", "1"))]
    assert used == [True, False, True, True]
    row = await database.fetch_one("SELECT min(until) AS until FROM used_answers")
    now = await database.fetch_one(f"SELECT {NOW[database.kind]} AS now")
    assert row is not None
    assert now is not None
    assert row["until"] - now["now"] > 86400
    for clock in (0, 2**40):  # whatever the clock of this process says
        assert not await recent_logouts.has_dead(database, clock)
        async with database.transaction() as tx:
            assert await recent_logouts.prune(tx, clock) == 0
    async with database.transaction() as tx:
        await tx.execute("UPDATE used_answers SET until = 1")
        await recent_logouts.remember(tx, "a", handle="h")
    assert await recent_logouts.has_dead(database, 0)
    async with database.transaction() as tx:
        assert await recent_logouts.prune(tx, 0) == 3
    assert await recent_logouts.is_known(database, "a", "h")


async def test_the_number_of_the_newest_logout_only_rises(database: Database) -> None:
    seen = [await recent_logouts.newest(database)]
    for handle in ("1", "2"):
        async with database.transaction() as tx:
            await recent_logouts.remember(tx, "a", handle=handle)
        seen.append(await recent_logouts.newest(database))
        async with database.transaction() as tx:
            await tx.execute("DELETE FROM provider_logouts")
    assert seen == [0, seen[1], seen[2]]
    assert 0 < seen[1] < seen[2]


def test_a_pending_sign_in_is_ended_and_forgotten() -> None:
    pending = PendingSignIns()
    assert not pending.end("h")
    with pending.beginning("h"):
        with pending.beginning("h"):
            assert not pending.has_ended("h")
            assert pending.end("h")
        assert pending.has_ended("h")
    assert not pending.has_ended("h")
    assert not pending.end("h")


def test_the_budget_of_rows_refills() -> None:
    now = [0.0]
    pending = PendingSignIns(lambda: now[0])
    assert [pending.may_write() for _ in range(6)] == [*[True] * 5, False]
    now[0] = 1.0
    assert [pending.may_write() for _ in range(3)] == [*[True] * 2, False]
    now[0] = 1e6
    assert [pending.may_write() for _ in range(6)] == [*[True] * 5, False]
