"""PostgreSQL alone: the order of the feed, and what wakes those that follow it."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any, cast

import psycopg
import pytest

from service import db
from service.config import DatabaseUrl as Where
from service.db import Database
from service.db.postgresql import database as postgresql
from service.errors import TokenRevoked
from service.revocation import events
from tests.support import people
from tests.support.postgresql import Cluster
from tests.support.stores import ON_POSTGRESQL
from tests.unit.test_postgresql import name, until

pytestmark = ON_POSTGRESQL

APPEND = "INSERT INTO changes (kind, sid, until) VALUES ('session', %s, 9999999999)"
DRAW = "INSERT INTO changes (kind, sid, until) VALUES ('session', ?, 9999999999)"


# --- The order of the feed.


async def test_without_the_lock_a_late_commit_would_hide_a_row(where: Where) -> None:
    """What the lock is for: two sessions that draw numbers in one order, and commit in the other.

    This test shows the danger with PostgreSQL alone; the next, that our writers do not run into it.
    """
    async with (
        await psycopg.AsyncConnection.connect(where.url) as slow,
        await psycopg.AsyncConnection.connect(where.url) as quick,
        db.connect(where) as reading,
    ):
        await slow.execute(APPEND, ("slow",))
        await quick.execute(APPEND, ("quick",))
        await quick.commit()
        seen = await people.feed_rows(reading)
        await slow.commit()
        later = await people.feed_rows(reading, since=seen[-1]["seq"])
        assert [row["sid"] for row in seen + later] == ["quick"]  # slow's row is never read


async def test_who_draws_a_number_later_commits_later(where: Where) -> None:
    """The second of two writers, of two processes, cannot overtake the first."""
    go_on, order = asyncio.Event(), []
    async with db.connect(where) as one, db.connect(where) as other, db.connect(where) as reading:

        async def first() -> None:
            async with one.transaction() as tx:
                await tx.execute(DRAW, ("first",))
                order.append("first drew")
                await go_on.wait()
                order.append("first commits")

        async def second() -> None:
            async with other.transaction() as tx:
                await tx.execute(DRAW, ("second",))
                order.append("second drew")

        slow = asyncio.create_task(first())
        await until(lambda: order == ["first drew"])
        quick = asyncio.create_task(second())
        await asyncio.sleep(0.3)
        assert order == ["first drew"]
        assert await people.feed_rows(reading) == []
        go_on.set()
        await asyncio.gather(slow, quick)
        assert order == ["first drew", "first commits", "second drew"]
        assert [row["sid"] for row in await people.feed_rows(reading)] == ["first", "second"]


@pytest.mark.parametrize("writers", [8])
async def test_a_reader_of_many_writers_misses_no_row_and_no_number_comes_late(
    where: Where, writers: int
) -> None:
    """Writers of several processes commit, roll back and dawdle; two readers follow by `seq`."""
    rounds = 40
    committed: list[str] = []
    seen: list[list[str]] = [[], []]
    done = asyncio.Event()

    async def write(number: int) -> None:
        async with db.connect(where) as mine:
            for turn in range(rounds):
                sid = f"{number}-{turn}"
                with contextlib.suppress(ZeroDivisionError):
                    async with mine.transaction() as tx:
                        await tx.execute(DRAW, (sid,))
                        await asyncio.sleep(0.001 * ((number + turn) % 3))
                        if turn % 5 == 4:
                            raise ZeroDivisionError  # its number is never seen
                    committed.append(sid)

    async def follow(found: list[str]) -> None:
        async with db.connect(where) as mine:
            since, is_last = 0, False
            while not is_last:
                is_last = done.is_set()
                for row in await people.feed_rows(mine, since):
                    assert row["seq"] > since
                    since = row["seq"]
                    found.append(row["sid"])

    reading = [asyncio.create_task(follow(found)) for found in seen]
    await asyncio.gather(*(write(number) for number in range(writers)))
    done.set()
    await asyncio.gather(*reading)
    assert len(committed) == writers * rounds * 4 // 5
    for found in seen:
        assert sorted(found) == sorted(committed)


async def test_what_is_published_as_newest_has_no_uncommitted_number(where: Where) -> None:
    """`next` of the feed is read from the rows: a sequence tells what nobody may see yet."""
    async with db.connect(where) as database:
        feed = people.memory(database)
        async with database.transaction() as tx:
            await tx.execute(DRAW, ("early",))
        async with await psycopg.AsyncConnection.connect(where.url) as slow:
            await slow.execute(APPEND, ("late",))
            await feed.catch_up()
            assert feed.seq == 1
            await slow.commit()
        await feed.catch_up()
        assert feed.seq == 2


# --- Waking.


async def test_a_change_wakes_who_follows_long_before_the_next_poll(
    where: Where, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.revocation.feed.POLL_SECONDS", 30.0)
    async with db.connect(where) as one, db.connect(where) as other:
        feed = people.memory(one)
        await feed.catch_up()
        following = asyncio.create_task(feed.follow())
        await until(lambda: _listening(one))
        await asyncio.sleep(0.3)
        async with other.transaction() as tx:
            await events.session_ended(tx, "session-1", int(time.time()) + 3600)
        seconds = await until(lambda: len(feed) == 1)
        following.cancel()
    print(f"\nwoken after {seconds * 1000:.0f} ms")  # noqa: T201  # the figure is wanted


async def test_a_lost_notification_costs_a_poll_and_no_row(where: Where, cluster: Cluster) -> None:
    async with db.connect(where) as one, db.connect(where) as other:
        feed = people.memory(one)
        await feed.catch_up()
        following = asyncio.create_task(feed.follow())
        await until(lambda: _listening(one))
        cluster.run("ALTER TABLE changes DISABLE TRIGGER changes_notify", database=name(where))
        async with other.transaction() as tx:
            await events.session_ended(tx, "session-1", int(time.time()) + 3600)
        await until(lambda: len(feed) == 1)
        following.cancel()


def _listening(database: Database) -> bool:
    assert isinstance(database, postgresql.Database)
    return database._listener._connection is not None


# --- A restore under the same name.


async def test_a_database_that_takes_the_name_of_another_is_noticed(
    where: Where, cluster: Cluster
) -> None:
    """All that is counted is the same in both: only the database itself is another one."""
    served = name(where)
    cluster.run(f"CREATE DATABASE restored TEMPLATE {served}")
    cluster.run(APPEND, "restored", database="restored")
    cluster.run(APPEND, "lost", database=served)
    claims = {"id": 1, "ver": 1, "iat": 1, "exp": 600}
    async with db.connect(where) as database:
        await people.note(database)
        feed = people.memory(database)
        await feed.catch_up()
        notes = cluster.run("SELECT seconds, until FROM token_lifetimes", database=served)
        sql = "INSERT INTO token_lifetimes (seconds, until) VALUES (%s, %s)"
        cluster.run(sql, *notes[0], database="restored")
        cluster.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", served
        )
        await until(lambda: _try(lambda: cluster.run(f"ALTER DATABASE {served} RENAME TO gone")))
        cluster.run(f"ALTER DATABASE restored RENAME TO {served}")
        await feed.catch_up()
        for sid in ("restored", "lost"):
            with pytest.raises(TokenRevoked):
                await feed.check(cast("Any", {**claims, "sid": sid}))
    cluster.run("DROP DATABASE gone WITH (FORCE)")


async def test_rows_that_were_put_in_the_place_of_others_are_read(
    where: Where, cluster: Cluster
) -> None:
    """As `pg_restore --clean` does it: the tables are made anew, in the same database."""
    cluster.run(APPEND, "lost", database=name(where))
    async with db.connect(where) as database:
        feed = people.memory(database)
        await feed.catch_up()
        cluster.run("TRUNCATE changes RESTART IDENTITY", database=name(where))
        cluster.run(APPEND, "restored", database=name(where))
        await feed.catch_up()
        assert len(feed) == 2


def _try(action: Callable[[], object]) -> bool:
    with contextlib.suppress(psycopg.errors.ObjectInUse):
        action()
        return True
    return False
