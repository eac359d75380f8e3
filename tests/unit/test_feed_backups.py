"""A backup is restored: the feed notices, and no session that ended goes on."""

import contextlib
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from service import db, users
from service.config import DatabaseUrl as Where
from service.db import ChangeMarker, Database, Row
from service.revocation import events
from service.revocation.feed import Revocation
from service.tokens import lifetimes
from tests.support import people, stores
from tests.support.feed import Elsewhere, altered, claims_of, elsewhere, feed, refused, ticks
from tests.support.stores import ON_SQLITE

__all__ = ["elsewhere", "feed", "ticks"]


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
