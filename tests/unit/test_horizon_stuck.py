"""A horizon that the database cannot record: the error says whether another attempt helps."""

import pytest

from service import db, errors
from tests.support.environment import Settings
from tests.support.worlds import Process, World

STORES = ("sqlite",)


def _failed() -> None:
    raise errors.DatabaseFailed


def _gone() -> None:
    raise errors.DatabaseUnavailable


async def test_a_read_only_database_is_not_told_as_an_outage_when_no_token_can_be_issued(
    world: World, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with db.connect(world.where) as database:
        process = await Process(world, database, settings).start()
        process.error = 2 * 3600
        for writes, expected in ((_failed, 500), (_gone, 503), (_failed, 500)):
            monkeypatch.setattr(database, "transaction", writes)
            with pytest.raises(errors.DatabaseUnavailable):
                await process.keeping.tend()
            with pytest.raises(errors.DatabaseUnavailable) as refused:
                await process.sign_in()
            assert refused.value.status == expected
        monkeypatch.undo()
        await process.keeping.tend()
        assert await process.accepts(await process.sign_in())
