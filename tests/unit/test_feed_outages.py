"""The feed of revocations without its database: it goes on from memory, then refuses."""

import asyncio
import io

import pytest

from service import errors, users
from service.db import ChangeMarker, Database
from service.revocation import events
from service.revocation.feed import Revocation
from service.telemetry import logs
from tests.support import people
from tests.support.feed import Elsewhere, Ticks, altered, claims_of, elsewhere, feed, refused, ticks

__all__ = ["elsewhere", "feed", "ticks"]


async def test_with_the_database_gone_it_goes_on_from_memory_and_then_fails_shut(
    database: Database, feed: Revocation, ticks: Ticks, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad = [await claims_of(database, "admin", sid) for sid in ("session-1", "session-2")]
    await people.end_session(database, feed, bad)
    attempts = 0

    async def gone(_probe: str) -> int:
        nonlocal attempts
        attempts += 1
        raise errors.DatabaseUnavailable

    monkeypatch.setattr(database, "data_version", gone)
    ticks.now += 59
    for _ in range(100):
        assert await feed.check(good) is good
        assert await refused(feed, bad)
    assert attempts == 1
    ticks.now += 2
    with pytest.raises(errors.FeedStale) as stale:
        await feed.check(good)
    assert stale.value.headers["Retry-After"] == "5"
    monkeypatch.undo()
    ticks.now += 2
    assert await feed.check(good) is good


async def test_a_database_that_hangs_counts_as_gone(
    database: Database, feed: Revocation, ticks: Ticks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.revocation.feed._ATTEMPT_SECONDS", 0.05)
    monkeypatch.setattr(database, "data_version", lambda _: asyncio.Event().wait())
    good = await claims_of(database, "admin")
    ticks.now += 5
    assert await asyncio.gather(*(feed.check(good) for _ in range(10))) == [good] * 10
    with pytest.raises(errors.DatabaseUnavailable) as unavailable:
        await feed.catch_up()
    assert isinstance(unavailable.value.__cause__, TimeoutError)


SLOW = {
    "sqlite": "WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c LIMIT 5000000)"
    " SELECT max(i) FROM c",
    "postgresql": "SELECT pg_sleep(2)",
}


async def test_what_takes_long_to_read_keeps_nobody_from_knowing_who_is_out(
    database: Database, feed: Revocation, elsewhere: Elsewhere, ticks: Ticks
) -> None:
    claims = await claims_of(database, "admin")
    reads = [asyncio.create_task(database.fetch_all(SLOW[database.kind])) for _ in range(4)]
    await asyncio.sleep(0.1)
    await elsewhere(lambda tx: events.session_ended(tx, claims["sid"], claims["exp"]))
    ticks.now += 1.2
    assert await refused(feed, claims)
    assert not all(read.done() for read in reads)
    for read in reads:
        read.cancel()
    await asyncio.wait(reads)


async def test_a_changed_user_who_cannot_be_read_is_not_let_in_with_old_roles(
    database: Database, feed: Revocation, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    claims = await claims_of(database, "user")
    await elsewhere(lambda tx: users.grant(tx, people.BY, "user", "manage_users"))
    await feed.catch_up()

    async def gone(*_arguments: object) -> None:
        raise errors.DatabaseUnavailable

    with monkeypatch.context() as patch:
        patch.setattr(users, "find_by_id", gone)
        with pytest.raises(errors.DatabaseUnavailable):
            await feed.check(claims)
    assert (await feed.check(claims))["ver"] > claims["ver"]


async def test_following_finds_changes_and_says_what_it_lost(
    database: Database,
    feed: Revocation,
    elsewhere: Elsewhere,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("service.revocation.feed.POLL_SECONDS", 0.005)
    log = io.StringIO()
    monkeypatch.setattr(logs, "_sink", logs.Sink(log, "text", logs.INFO))
    claims = await claims_of(database, "admin")
    following = asyncio.create_task(feed.follow())
    await elsewhere(lambda tx: events.session_ended(tx, claims["sid"], claims["exp"]))
    await asyncio.sleep(0.3)
    assert await refused(feed, claims)
    assert len(feed) == 1
    read = database.data_version

    async def gone(_probe: str) -> int:
        raise errors.DatabaseUnavailable

    monkeypatch.setattr(database, "data_version", gone)
    await asyncio.sleep(0.3)
    monkeypatch.setattr(database, "data_version", read)
    await asyncio.sleep(0.3)
    following.cancel()
    assert log.getvalue().count(" feed_lost ") == log.getvalue().count(" feed_found") == 1


async def test_following_goes_on_whatever_goes_wrong(
    feed: Revocation, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.revocation.feed.POLL_SECONDS", 0.005)
    log = io.StringIO()
    monkeypatch.setattr(logs, "_sink", logs.Sink(log, "text", logs.INFO))
    read, calls = database.data_version, 0

    async def broken(probe: str) -> ChangeMarker:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise RuntimeError
        return await read(probe)

    monkeypatch.setattr(database, "data_version", broken)
    following = asyncio.create_task(feed.follow())
    await asyncio.sleep(0.3)
    following.cancel()
    assert calls > 1
    assert log.getvalue().count(" error\n") == 1


async def test_without_the_database_an_unknown_lifetime_is_no_bad_token(
    database: Database, feed: Revocation, monkeypatch: pytest.MonkeyPatch
) -> None:
    claims = await claims_of(database, "admin")

    async def gone(_probe: str) -> int:
        raise errors.DatabaseUnavailable

    monkeypatch.setattr(database, "data_version", gone)
    with pytest.raises(errors.DatabaseUnavailable):
        await feed.check(altered(claims, exp=claims["iat"] + 86400))
