"""The memory of what was taken back: what it admits, when it asks, and when it fails shut."""

import asyncio
import contextlib
import io
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from service import db, errors, users
from service.config import DatabaseUrl as Where
from service.db import ChangeMarker, Database, Row, Transaction
from service.revocation import events
from service.revocation.feed import Revocation
from service.telemetry import logs
from service.tokens import lifetimes
from service.tokens.lifetimes import LEAD, MARGIN
from tests.support import people, stores
from tests.support.stores import ON_SQLITE

Change = Callable[[Transaction], Awaitable[Any]]


class Ticks:
    """A stopwatch that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Return its reading."""
        return self.now


@pytest.fixture
def ticks() -> Ticks:
    """Return a stopwatch."""
    return Ticks()


@pytest.fixture
async def feed(database: Database, ticks: Ticks) -> Revocation:
    """Return a memory that has caught up."""
    await people.note(database)
    feed = people.memory(database, ticks=ticks)
    await feed.catch_up()
    return feed


@pytest.fixture
async def elsewhere(
    where: Where,
) -> AsyncIterator[Callable[[Change], Awaitable[None]]]:
    """Yield what changes the database from another process's connection."""
    async with db.connect(where) as other:

        async def change(action: Change) -> None:
            async with other.transaction() as tx:
                await action(tx)

        yield change


async def claims_of(database: Database, username: str, sid: str = "session-1") -> Any:
    """Return the claims that a token of this user would have now; tests change them."""
    user = await users.find_by_username(database, username)
    assert user is not None
    return {
        "id": user["id"],
        "username": user["username"],
        "roles": user["roles"],
        "ver": user["version"],
        "sid": sid,
        "iat": int(time.time()),
        "exp": int(time.time()) + 3600,
    }


def altered(claims: Any, **changes: object) -> Any:
    """Return claims with changes."""
    return dict(claims, **changes)


Elsewhere = Callable[[Change], Awaitable[None]]


async def refused(feed: Revocation, claims: Any) -> bool:
    """Tell whether a token is refused as revoked."""
    try:
        await feed.check(claims)
    except errors.TokenRevoked:
        return True
    return False


async def test_what_nobody_took_back_is_admitted_as_it_is(
    database: Database, feed: Revocation
) -> None:
    claims = await claims_of(database, "admin")
    assert await feed.check(claims) is claims


async def test_signing_out_ends_one_session_at_once(database: Database, feed: Revocation) -> None:
    first, second = [await claims_of(database, "admin", sid) for sid in ("session-1", "session-2")]
    await people.end_session(database, feed, first)
    assert await refused(feed, first)
    assert not await refused(feed, second)


async def test_signing_out_everywhere_ends_all_and_who_signs_in_again_is_in(
    database: Database, feed: Revocation
) -> None:
    before = [await claims_of(database, "admin", sid) for sid in ("session-1", "session-2")]
    other = await claims_of(database, "user")
    await people.sign_out(database, feed, before[0])
    assert [await refused(feed, claims) for claims in before] == [True, True]
    assert not await refused(feed, await claims_of(database, "admin", "session-3"))
    assert not await refused(feed, other)


async def test_a_change_of_this_process_counts_before_it_is_read(
    database: Database, feed: Revocation
) -> None:
    claims, role = await claims_of(database, "user"), "manage_documents"
    async with database.transaction() as tx:
        await users.grant(tx, people.BY, "user", role)
    feed.apply_own(tx.events)
    fresh = await feed.check(claims)
    assert role in [held["role"] for held in fresh["roles"]]
    assert fresh["ver"] == claims["ver"] + 1
    async with database.transaction() as tx:
        await users.delete_role(tx, people.BY, role)
    feed.apply_own(tx.events)
    assert role not in [held["role"] for held in (await feed.check(claims))["roles"]]
    async with database.transaction() as tx:
        await people.delete(tx, "user")
    feed.apply_own(tx.events)
    assert await refused(feed, claims)
    assert feed.seq == 0


async def test_a_change_of_this_process_hides_no_revocation_that_is_not_read_yet(
    database: Database, feed: Revocation, elsewhere: Elsewhere
) -> None:
    """With the new version a token would outlive the revocation of another process."""
    claims, other = await claims_of(database, "user"), await claims_of(database, "admin", "other")
    await elsewhere(lambda tx: users.sign_out(tx, people.BY, claims["id"]))
    await elsewhere(lambda tx: events.session_ended(tx, other["sid"], other["exp"]))
    async with database.transaction() as tx:
        await users.grant(tx, people.BY, "user", "manage_documents")
    feed.apply_own(tx.events)
    assert await refused(feed, claims)
    assert not await refused(feed, other)
    await feed.catch_up()
    assert await refused(feed, claims)
    assert await refused(feed, other)
    assert feed.seq == 3


async def test_a_row_that_is_applied_early_and_read_again_changes_nothing(
    database: Database, feed: Revocation, monkeypatch: pytest.MonkeyPatch
) -> None:
    lookups, find = [], users.find_by_id

    async def by_id(db: Database, user_id: int) -> users.User | None:
        lookups.append(user_id)
        return await find(db, user_id)

    monkeypatch.setattr(users, "find_by_id", by_id)
    claims = await claims_of(database, "user")
    async with database.transaction() as tx:
        await users.grant(tx, people.BY, "user", "manage_documents")
        await events.session_ended(tx, "another", claims["exp"])
    feed.apply_own(tx.events)
    lookups.clear()
    fresh = await feed.check(claims)
    assert (len(feed), len(lookups)) == (2, 1)
    await feed.catch_up()
    feed.apply_own(tx.events)
    assert await feed.check(claims) == fresh
    assert (len(feed), len(lookups)) == (2, 1)


@pytest.mark.parametrize(
    "change",
    [
        lambda tx: users.set_disabled(tx, people.BY, "manager", disabled=True),
        lambda tx: people.delete(tx, "manager"),
        lambda tx: users.sign_out(tx, people.BY, 3),
    ],
    ids=["disabled", "deleted", "signed out by an administrator"],
)
async def test_a_change_elsewhere_takes_tokens_back(
    database: Database, feed: Revocation, elsewhere: Elsewhere, change: Change
) -> None:
    claims = await claims_of(database, "manager")
    assert claims["id"] == 3
    await elsewhere(change)
    assert not await refused(feed, claims)
    await feed.catch_up()
    assert await refused(feed, claims)


async def test_enabling_again_brings_no_token_back(
    database: Database, feed: Revocation, elsewhere: Elsewhere
) -> None:
    claims = await claims_of(database, "manager")
    await elsewhere(lambda tx: users.set_disabled(tx, people.BY, "manager", disabled=True))
    await elsewhere(lambda tx: users.set_disabled(tx, people.BY, "manager", disabled=False))
    await feed.catch_up()
    assert await refused(feed, claims)
    assert not await refused(feed, await claims_of(database, "manager"))


async def test_a_name_made_again_is_a_new_person(
    database: Database, feed: Revocation, elsewhere: Elsewhere
) -> None:
    claims = await claims_of(database, "manager")
    await elsewhere(lambda tx: people.delete(tx, "manager"))
    await elsewhere(lambda tx: users.create(tx, people.BY, "manager"))
    await feed.catch_up()
    assert await refused(feed, claims)
    again = await claims_of(database, "manager")
    assert again["id"] != claims["id"]
    assert not await refused(feed, again)


async def test_new_roles_and_names_are_fresh_and_sign_nobody_out(
    database: Database, feed: Revocation, elsewhere: Elsewhere
) -> None:
    claims = await claims_of(database, "user")
    await elsewhere(lambda tx: users.grant(tx, people.BY, "user", "manage_users"))
    await elsewhere(lambda tx: people.rename(tx, "user", "person"))
    await feed.catch_up()
    fresh = await feed.check(claims)
    assert fresh["username"] == "person"
    assert {"manage_users", "view_documents"} <= {role["role"] for role in fresh["roles"]}
    assert fresh["ver"] > claims["ver"]
    await elsewhere(lambda tx: users.revoke(tx, people.BY, "person", "manage_users"))
    await elsewhere(lambda tx: users.delete_role(tx, people.BY, "view_documents"))
    await feed.catch_up()
    assert [role["role"] for role in (await feed.check(claims))["roles"]] == ["view_communities"]


async def test_a_changed_user_is_looked_up_once_for_each_change(
    database: Database, feed: Revocation, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    lookups = 0
    by_id = users.find_by_id

    async def counted(db: Database, user_id: int) -> users.User | None:
        nonlocal lookups
        lookups += 1
        return await by_id(db, user_id)

    monkeypatch.setattr(users, "find_by_id", counted)
    claims = await claims_of(database, "user")
    for count, role in enumerate(("manage_users", "manage_documents"), 1):
        await elsewhere(partial(users.grant, by=people.BY, username="user", role=role))
        await feed.catch_up()
        await asyncio.gather(*(feed.check(claims) for _ in range(50)))
        await feed.check(claims)
        assert lookups == count


async def test_without_a_change_nobody_asks_the_database(
    database: Database, feed: Revocation, monkeypatch: pytest.MonkeyPatch
) -> None:
    claims = await claims_of(database, "admin")

    async def never(*_arguments: object) -> None:
        raise AssertionError

    monkeypatch.setattr(database, "fetch_all", never)
    for _ in range(1000):
        await feed.check(claims)


async def test_what_is_over_a_second_old_is_renewed_before_the_answer(
    database: Database, feed: Revocation, elsewhere: Elsewhere, ticks: Ticks
) -> None:
    claims = await claims_of(database, "admin")
    await elsewhere(lambda tx: events.session_ended(tx, claims["sid"], claims["exp"]))
    ticks.now += 0.9
    assert not await refused(feed, claims)
    ticks.now += 0.2
    assert await refused(feed, claims)
    assert feed.age == 0


@pytest.mark.parametrize("then", ["fails", "answers", "has failed", "has answered"])
async def test_what_was_asked_before_a_sleep_of_the_machine_is_asked_again(
    database: Database,
    feed: Revocation,
    elsewhere: Elsewhere,
    ticks: Ticks,
    monkeypatch: pytest.MonkeyPatch,
    then: str,
) -> None:
    ask, is_asked, awake = database.data_version, asyncio.Event(), asyncio.Event()

    async def asleep(probe: str) -> ChangeMarker:
        version = await ask(probe)
        is_asked.set()
        await awake.wait()
        if "fail" in then:
            raise errors.DatabaseUnavailable
        return version

    monkeypatch.setattr(database, "data_version", asleep)
    before = asyncio.create_task(feed.catch_up())
    await is_asked.wait()
    monkeypatch.setattr(database, "data_version", ask)
    claims = await claims_of(database, "admin")
    await elsewhere(lambda tx: events.session_ended(tx, claims["sid"], claims["exp"]))
    ticks.now += 1.2
    if then.startswith("has"):
        awake.set()
        await asyncio.wait({before})
    answer = asyncio.create_task(refused(feed, claims))
    await asyncio.sleep(0)
    awake.set()
    assert await answer
    await asyncio.gather(before, return_exceptions=True)


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


async def test_memory_forgets_what_the_database_has_pruned(
    database: Database, feed: Revocation
) -> None:
    now = int(time.time())
    async with database.transaction() as tx:
        await events.session_ended(tx, "session-1", now + 100)
        await users.sign_out(tx, people.BY, 1)
    await feed.catch_up()
    assert len(feed) == 2
    async with database.transaction() as tx:
        assert await events.prune(tx, now + 100 + MARGIN) == 1
        await events.user_changed(tx, 2, 2)
    await feed.catch_up()
    assert len(feed) == 2
    async with database.transaction() as tx:
        assert await events.prune(tx, now + 10 * 3600) == 1
    await feed.catch_up()
    # The newest row stays: it says how far the feed has come.
    assert await database.fetch_all("SELECT seq FROM changes") == [{"seq": 3}]
    assert len(feed) == 0
    late = people.memory(database)
    await late.catch_up()
    assert late.seq == feed.seq == 3


async def test_a_token_that_expired_before_what_was_pruned_is_refused_by_a_slow_clock(
    database: Database, feed: Revocation
) -> None:
    """Its revocation may be gone: the process that pruned says how late it is."""
    claims = await claims_of(database, "admin")
    await people.end_session(database, feed, claims)
    async with database.transaction() as tx:
        await events.user_changed(tx, 2, 2)
        assert await events.prune(tx, claims["exp"] + MARGIN) == 1
    restarted = people.memory(database)
    await restarted.catch_up()
    with pytest.raises(errors.TokenExpired):
        await restarted.check(claims)
    assert not await refused(restarted, altered(claims, exp=claims["exp"] + MARGIN))


async def until_of_next(database: Database) -> int:
    """Return until when the next row of a user would be kept; write none."""
    async with database.transaction() as tx:
        await events.user_changed(tx, 1, 1)
        (row,) = tx.events
        await tx.execute("DELETE FROM changes WHERE seq = ?", (row["seq"],))
    return int(row["until"])


async def test_rows_outlive_every_token_whatever_the_settings_were(database: Database) -> None:
    now = int(time.time())
    assert await until_of_next(database) > now + 365 * 86400
    week = await people.note(database, 7 * 86400, now)
    assert week >= now + 7 * 86400 + LEAD
    assert await until_of_next(database) == week + MARGIN
    hour = await people.note(database, 3600, now)
    assert await until_of_next(database) == week + MARGIN
    await people.note(database, 7 * 86400, now - 5000)  # a slow clock shortens nothing
    # The clock of PostgreSQL counts as well, and may have gone on.
    assert week + MARGIN <= await until_of_next(database) < week + MARGIN + 60
    async with database.transaction() as tx:
        await lifetimes.prune(tx, hour + MARGIN)
    (row,) = await database.fetch_all("SELECT seconds FROM token_lifetimes")
    assert row == {"seconds": 7 * 86400}


async def test_a_process_of_an_older_version_is_covered_for_a_day(database: Database) -> None:
    """It notes no horizon: `until` is NULL while it runs."""
    now = int(time.time())
    async with database.transaction() as tx:
        await tx.execute("INSERT INTO token_lifetimes (seconds, until) VALUES (?, NULL)", (7200,))
    assert await until_of_next(database) >= now + 7200 + 86400
    await people.note(database, 600)
    await people.note(database, 7200)
    assert await until_of_next(database) >= now + 7200 + 86400
    feed = people.memory(database)
    await feed.catch_up()
    assert feed.state.max_life == 7200


async def test_a_change_and_its_row_are_one_transaction(database: Database) -> None:
    async def half() -> None:
        async with database.transaction() as tx:
            await users.set_disabled(tx, people.BY, "manager", disabled=True)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await half()
    assert await people.feed_rows(database) == []
    user = await users.find_by_username(database, "manager")
    assert user is not None
    assert not user["disabled"]


async def test_a_hundred_thousand_rows_are_loaded_in_order(database: Database) -> None:
    until = int(time.time()) + 3600
    async with database.transaction() as tx:
        for first in range(1, 100_000, 10_000):
            await tx.execute(
                "WITH RECURSIVE n(i) AS (SELECT CAST(? AS BIGINT) UNION ALL SELECT i + 1 FROM n"
                " WHERE i < ?) INSERT INTO changes (kind, sid, until)"
                " SELECT 'session', 'sid-' || i, ? FROM n",
                (first, first + 9_999, until),
            )
    await people.note(database)
    claims = await claims_of(database, "admin")
    feed = people.memory(database)
    await feed.catch_up()
    assert len(feed) == 100_000
    assert await refused(feed, altered(claims, sid="sid-77777"))
    assert not await refused(feed, altered(claims, sid="sid-0"))


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


async def test_a_token_that_outlives_revocations_is_refused(
    database: Database, feed: Revocation
) -> None:
    claims = await claims_of(database, "admin")
    longest = altered(claims, exp=claims["iat"] + 6 * 3600)
    assert not await refused(feed, longest)
    longer = altered(longest, exp=longest["exp"] + 1)
    with pytest.raises(errors.TokenInvalid):
        await feed.check(longer)
    # Another process notes a longer lifetime, and its token is here before the next poll.
    await people.note(database, 6 * 3600 + 1)
    assert await feed.check(longer) is longer


async def test_without_the_database_an_unknown_lifetime_is_no_bad_token(
    database: Database, feed: Revocation, monkeypatch: pytest.MonkeyPatch
) -> None:
    claims = await claims_of(database, "admin")

    async def gone(_probe: str) -> int:
        raise errors.DatabaseUnavailable

    monkeypatch.setattr(database, "data_version", gone)
    with pytest.raises(errors.DatabaseUnavailable):
        await feed.check(altered(claims, exp=claims["iat"] + 86400))


async def test_a_token_exchanged_while_its_user_is_signed_out_elsewhere_ends_too(
    database: Database, feed: Revocation, elsewhere: Elsewhere
) -> None:
    """The fresh user that a process reads may be newer than what it knows of the feed."""
    claims = await claims_of(database, "user")
    await elsewhere(lambda tx: users.grant(tx, people.BY, "user", "manage_documents"))
    await feed.catch_up()
    await elsewhere(lambda tx: users.sign_out(tx, people.BY, claims["id"]))
    exchanged = await feed.check(claims)
    await feed.catch_up()
    assert await refused(feed, claims)
    assert await refused(feed, exchanged)


async def test_a_session_that_ends_while_its_user_is_looked_up_is_refused(
    database: Database, feed: Revocation, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    claims = await claims_of(database, "user")
    await elsewhere(lambda tx: users.grant(tx, people.BY, "user", "manage_documents"))
    await feed.catch_up()
    read = users.find_by_id

    async def by_id(*arguments: Any) -> Any:
        await people.end_session(database, feed, claims)
        return await read(*arguments)

    monkeypatch.setattr(users, "find_by_id", by_id)
    assert await refused(feed, claims)


async def test_who_gets_the_id_of_a_deleted_user_after_a_restore_is_admitted(
    database: Database, feed: Revocation
) -> None:
    now, admin = int(time.time()), await users.get_by_username(database, "admin")
    async with database.transaction() as tx:
        deleted = await users.create(tx, people.BY, "ute")
        await users.delete(tx, people.BY, deleted)
    await feed.catch_up()
    old = altered(await claims_of(database, "admin"), id=deleted["id"], auth_time=now)
    assert await refused(feed, old)
    async with database.transaction() as tx:  # a backup in which there never was such a user
        await tx.execute("DELETE FROM changes")
        again = await users.create(tx, people.BY, "kim")
        await tx.execute("UPDATE users SET id = ? WHERE id = ?", (deleted["id"], again["id"]))
        await users.sign_out_all(tx, people.BY, now)
        await users.sign_out(tx, people.BY, admin["id"])  # who has signed in again already
    fresh = {"auth_time": now + lifetimes.AHEAD}
    await people.sign_out(database, feed, altered(await claims_of(database, "user"), **fresh))
    await feed.catch_up()
    assert fresh["auth_time"] == feed.state.not_before
    new = altered(await claims_of(database, "kim"), **fresh)
    assert await feed.check(new) is new
    assert await refused(feed, old)
    for name in ("admin", "user"):
        claims = altered(await claims_of(database, name), **fresh)
        assert await refused(feed, altered(claims, ver=claims["ver"] - 1))
        assert await feed.check(claims) is claims


async def test_what_others_take_back_while_all_is_read_again_counts_beside_ones_own(
    database: Database, feed: Revocation, elsewhere: Elsewhere
) -> None:
    ask, rows_read = database.feed.fetch_all, 0
    claims = await claims_of(database, "user")

    async def watched(sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        nonlocal rows_read
        if "FROM changes WHERE seq > " in sql and parameters[0] == 0:
            rows_read += 1
            if rows_read == 1:
                await people.sign_out(database, feed, claims)
                await elsewhere(lambda tx: users.sign_out(tx, people.BY, claims["id"]))
        return await ask(sql, parameters)

    await elsewhere(lambda tx: events.session_ended(tx, "before", claims["exp"]))
    await feed.catch_up()
    await elsewhere(lambda tx: lifetimes.end_all(tx, 1000))
    database.feed.fetch_all = watched  # type: ignore[method-assign]
    await feed.catch_up()
    assert rows_read == 1
    between = altered(claims, ver=claims["ver"] + 1, auth_time=claims["iat"])
    assert await refused(feed, between)
    assert not await refused(feed, altered(between, ver=claims["ver"] + 2))


async def test_rows_with_the_numbers_of_lost_rows_are_read_after_a_restore(
    database: Database, feed: Revocation
) -> None:
    lost, ended = await claims_of(database, "admin"), await claims_of(database, "user", "s")
    await people.end_session(database, feed, lost)
    await feed.catch_up()
    known, now = feed.seq, int(time.time())
    async with database.transaction() as tx:  # all of this between two polls
        await tx.execute("DELETE FROM changes")
        for seq, sid in ((known, ended["sid"]), (known + 1, "another-session")):
            await tx.execute(
                "INSERT INTO changes (seq, kind, sid, until) VALUES (?, 'session', ?, ?)",
                (seq, sid, ended["exp"]),
            )
        await lifetimes.end_all(tx, now)
    await feed.catch_up()
    assert await refused(feed, altered(ended, auth_time=feed.state.not_before))
    assert await refused(feed, lost)


async def test_a_restored_backup_takes_nothing_out_of_memory(
    database: Database, feed: Revocation
) -> None:
    session, everywhere = await claims_of(database, "admin"), await claims_of(database, "user", "s")
    async with database.transaction() as tx:
        await lifetimes.end_all(tx, 1000)
    await people.end_session(database, feed, session)
    await people.sign_out(database, feed, everywhere)
    await feed.catch_up()
    async with database.transaction() as tx:
        for table in ("changes", "revocation_state"):
            await tx.execute(f"DELETE FROM {table}")  # noqa: S608
    await feed.catch_up()
    assert feed.seq == 0
    assert await refused(feed, session)
    assert await refused(feed, everywhere)
    assert feed.state.not_before == 1006


async def test_a_restore_is_noticed_though_what_rose_makes_up_for_what_fell(
    database: Database, feed: Revocation
) -> None:
    claims = altered(await claims_of(database, "admin"), auth_time=1006)
    async with database.transaction() as tx:
        await lifetimes.end_all(tx, 1000)
        for number in range(4):
            await events.session_ended(tx, f"lost-{number}", claims["exp"])
    await feed.catch_up()
    assert not await refused(feed, claims)
    async with database.transaction() as tx:
        await tx.execute("DELETE FROM changes WHERE seq > 1")
        await tx.execute("UPDATE revocation_state SET not_before = not_before + 3")
    await feed.catch_up()
    assert await refused(feed, claims)


@pytest.mark.parametrize(
    ("before", "after", "is_later"),
    [
        ("seq=1 60=5", "seq=2 60=5", True),
        ("seq=1", "seq=1 60=5", True),
        ("seq=9 60=5", "seq=10 60=5", True),
        ("seq=1 60=5", "seq=1 60=5", False),
        ("seq=2 60=5", "seq=1 60=6", False),
        ("seq=1 60=5 600=6", "seq=2 60=5", False),
    ],
)
def test_a_version_is_later_if_no_part_of_it_fell_or_went(
    before: str, after: str, *, is_later: bool
) -> None:
    assert ChangeMarker("here", after).is_later_than(ChangeMarker("here", before)) is is_later
    assert not ChangeMarker("there", after).is_later_than(ChangeMarker("here", before))
    assert not ChangeMarker("here", after).is_later_than(None)


@ON_SQLITE
async def test_a_backup_that_is_written_through_sqlite_is_noticed_by_a_running_process(
    database: Database, feed: Revocation, where: Where, tmp_path: Path
) -> None:
    """One that takes the file's place is, too: tests/process/test_faults_sqlite.py."""
    claims = altered(await claims_of(database, "admin"), auth_time=1000)
    ended = altered(claims, sid="restored", auth_time=9000)
    db.save(where, tmp_path / "backup")
    backup = stores.database_at(f"sqlite:///{tmp_path}/backup")
    async with db.connect(backup) as restored, restored.transaction() as tx:
        await events.session_ended(tx, ended["sid"], ended["exp"])
        await lifetimes.end_all(tx, 1000)
    await people.end_session(database, feed, altered(claims, sid="lost"))
    await feed.catch_up()
    assert where.path is not None
    with (
        contextlib.closing(sqlite3.connect(tmp_path / "backup")) as source,
        contextlib.closing(sqlite3.connect(where.path)) as target,
    ):
        source.backup(target)
    await feed.catch_up()
    assert await refused(feed, claims)
    assert await refused(feed, ended)
