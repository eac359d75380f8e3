"""Rows of the feed: how long they are kept, and what is pruned."""

import time

import pytest

from service import errors, users
from service.db import Database
from service.revocation import events
from service.revocation.feed import Revocation
from service.tokens import lifetimes
from service.tokens.lifetimes import LEAD, MARGIN
from tests.support import people
from tests.support.feed import altered, claims_of, feed, refused, ticks

__all__ = ["feed", "ticks"]


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
