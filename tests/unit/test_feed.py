"""The feed of revocations in memory: what it admits, and when it asks the database."""

import asyncio
from functools import partial
from typing import Any

import pytest

from service import errors, users
from service.db import ChangeMarker, Database
from service.revocation import events
from service.revocation.feed import Revocation
from tests.support import people
from tests.support.feed import (
    Change,
    Elsewhere,
    Ticks,
    altered,
    claims_of,
    elsewhere,
    feed,
    refused,
    ticks,
)

__all__ = ["elsewhere", "feed", "ticks"]


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


async def test_a_read_that_is_under_way_does_not_cover_the_own_rows_yet(
    database: Database, feed: Revocation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A document would otherwise say that nothing has changed, until the read is complete."""
    read, goes_on = events.version, asyncio.Event()

    async def slow_version(asked: Database) -> ChangeMarker:
        await goes_on.wait()
        return await read(asked)

    async with database.transaction() as tx:
        await users.grant(tx, people.BY, "user", "manage_documents")
    feed.apply_own(tx.events)
    monkeypatch.setattr(events, "version", slow_version)
    reading = asyncio.create_task(feed.catch_up())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert feed.is_behind
    goes_on.set()
    await reading
    assert not feed.is_behind
    assert feed.seq > 0


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
