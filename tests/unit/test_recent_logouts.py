"""The newest logout at a provider is read once for all browsers that come back."""

import asyncio

import pytest

from service.db import Database, Reader
from service.errors import DatabaseUnavailable
from service.providers import recent_logouts
from service.providers.recent_logouts import Newest


class Counted:
    """A database that counts what it is asked."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.asked = 0
        self.is_gone = False

    async def fetch_one(self, sql: str) -> dict[str, object] | None:
        """Answer, unless it is gone."""
        self.asked += 1
        if self.is_gone:
            raise DatabaseUnavailable
        return await self._database.fetch_one(sql)


@pytest.fixture
def counted(database: Database) -> Counted:
    """Return the test's database."""
    return Counted(database)


async def test_one_reading_is_shared_by_all_who_ask_meanwhile(
    database: Database, counted: Counted
) -> None:
    reader: Reader = counted  # type: ignore[assignment]
    newest = Newest(reader)
    assert await asyncio.gather(*(newest.number() for _ in range(50))) == [0] * 50
    assert counted.asked == 1
    async with database.transaction() as tx:
        await recent_logouts.remember(tx, "cas", handle="a handle")
    assert await newest.number() == await recent_logouts.newest(database) > 0
    assert counted.asked == 2


async def test_a_database_that_is_gone_is_asked_again_by_the_next(counted: Counted) -> None:
    reader: Reader = counted  # type: ignore[assignment]
    newest = Newest(reader)
    counted.is_gone = True
    results = await asyncio.gather(*(newest.number() for _ in range(5)), return_exceptions=True)
    assert [type(each) for each in results] == [DatabaseUnavailable] * 5
    counted.is_gone = False
    assert (await newest.number(), counted.asked) == (0, 2)
