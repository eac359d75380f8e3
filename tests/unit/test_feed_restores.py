"""A backup is restored while the feed is read: between any two statements nothing is missed."""

import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

import aiohttp
import jwt
import pytest

from service import db, errors
from service.config import DatabaseUrl as Where
from service.db import Database, Row, Transaction
from service.revocation.feed import Revocation
from service.server.run import listening
from service.tokens import lifetimes
from service.web import context
from tests.support import people
from tests.support.environment import Settings, free_port

AFTER = 9000  # a session of after the restore began here, and one of before earlier
ROW = "INSERT INTO changes (seq, kind, sid, until) VALUES (?, 'session', ?, ?)"


@pytest.fixture
async def operator(where: Where) -> AsyncIterator[Database]:
    """Yield the database as another process has it open."""
    async with db.connect(where) as opened:
        await people.note(opened)
        yield opened


async def end(tx: Transaction, first: int, *sids: str) -> None:
    """End sessions, whose rows have numbers from `first` on."""
    for seq, sid in enumerate(sids, first):
        await tx.execute(ROW, (seq, sid, int(time.time()) + 9000))


async def restore(operator: Database, kept: int = 3) -> None:
    """Bring back what was there up to a row, and end all sessions."""
    async with operator.transaction() as tx:
        await tx.execute("DELETE FROM changes WHERE seq > ?", (kept,))
        await lifetimes.end_all(tx, 1000)


def claims(sid: str, *, is_old: bool = False) -> dict[str, Any]:
    """Return the claims of a token."""
    began = 1000 if is_old else AFTER
    return {"id": 1, "ver": 9, "sid": sid, "iat": AFTER, "exp": AFTER + 600, "auth_time": began}


async def refused(feed: Revocation, token: Any) -> bool:
    """Tell whether a token is refused as revoked."""
    try:
        await feed.check(token)
    except errors.TokenRevoked:
        return True
    return False


@pytest.mark.parametrize("number", range(1, 10))
@pytest.mark.parametrize("is_first", [True, False], ids=["the first read", "a later one"])
async def test_a_restore_between_two_statements_hides_no_row(
    database: Database, operator: Database, number: int, *, is_first: bool
) -> None:
    async with operator.transaction() as tx:
        await end(tx, 1, *(f"old-{seq}" for seq in range(1, 6)))
    feed = people.memory(database)
    if not is_first:
        await feed.catch_up()
        async with operator.transaction() as tx:
            await end(tx, 6, "old-6")
    ask, asked = database.feed.fetch_all, 0

    async def watched(sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        nonlocal asked
        asked += 1
        if asked == number:
            await restore(operator)
        return await ask(sql, parameters)

    database.feed.fetch_all = watched  # type: ignore[method-assign]
    await feed.catch_up()
    database.feed.fetch_all = ask  # type: ignore[method-assign]
    if asked < number:
        await restore(operator)
    async with operator.transaction() as tx:
        await end(tx, 4, *(f"new-{seq}" for seq in range(4, 9)))
    await feed.catch_up()
    await feed.catch_up()
    assert feed.seq == 8
    for seq in range(4, 9):
        assert await refused(feed, claims(f"new-{seq}"))
    assert await refused(feed, claims("another", is_old=True))
    assert not await refused(feed, claims("another"))


@pytest.mark.parametrize("kept", [3, 0])
@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_document_is_of_one_moment(
    settings: Settings, operator: Database, when: str, kept: int
) -> None:
    """The rows of a lost database with the moment of the restored one would hide later rows."""
    async with operator.transaction() as tx:
        await end(tx, 1, *(f"old-{seq}" for seq in range(1, 6)))
    config = settings(PORT=str(free_port()))
    async with listening(config) as app, aiohttp.ClientSession() as client:
        await app[context.REVOCATION].catch_up()
        feed, restored = app[context.DATABASE].feed, False
        ask = feed.fetch_all

        async def watched(sql: str, parameters: Sequence[object] = ()) -> list[Row]:
            nonlocal restored
            if restored or "FROM changes WHERE seq > " not in sql:
                return await ask(sql, parameters)
            restored, rows = True, await ask(sql, parameters) if when == "after" else []
            await restore(operator, kept)
            return rows or await ask(sql, parameters)

        feed.fetch_all = watched  # type: ignore[method-assign]
        async with client.get(f"http://127.0.0.1:{config.port}/auth/revocations") as answer:
            said = jwt.decode(await answer.text(), options={"verify_signature": False})
    rows = [row[0] for row in said["changes"]]
    lost, right = ([1, 2, 3, 4, 5], 0, 5), ([1, 2, 3][:kept], 1000 + lifetimes.AHEAD, kept)
    assert restored
    assert (rows, said["not_before"], said["next"]) == (lost if when == "after" else right)
