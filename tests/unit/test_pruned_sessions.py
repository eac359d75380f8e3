"""Sessions that a provider opened can be ended from there, or their tokens count as expired."""

import pytest

from service import users
from service.providers import identities, sessions
from service.providers.sessions import ProviderSession
from service.tokens.lifetimes import MARGIN
from tests.support import people
from tests.support.stores import ON_SQLITE
from tests.support.worlds import HOUR, LIFE, Process, World, world
from tests.unit.test_housekeeping import Start, start

__all__ = ["start", "world"]


async def sign_in(process: Process, subject: str = "ada") -> str:
    """Return a token of a session that an account at a provider opened."""
    token = await process.sign_in()
    async with process.database.transaction() as tx:
        user = await users.get_by_username(tx, "user")
        await identities.link(tx, people.BY, user, "cas", subject)
        session = ProviderSession("cas", subject, f"ticket-{subject}")
        await sessions.record(tx, session, process.tokens.verify(token))
    return token


async def unlink(process: Process, subject: str = "ada") -> None:
    async with process.database.transaction() as tx:
        user = await users.get_by_username(tx, "user")
        await identities.unlink(tx, people.BY, user, "cas", subject)


async def rows(process: Process) -> int:
    return len(await process.database.fetch_all("SELECT sid FROM provider_sessions"))


@ON_SQLITE
@pytest.mark.parametrize("hours", [7, 8, 72])
async def test_a_clock_that_is_fast_for_hours_keeps_no_session_from_its_end(
    start: Start, world: World, hours: int
) -> None:
    process = await start()
    token = await sign_in(process)
    world.pass_by(60)
    process.error = hours * HOUR
    await process.start()
    await process.run(2 * HOUR)
    process.error = 0
    await unlink(process)
    assert not await process.accepts(token)
    await process.start()
    assert not await process.accepts(token)


async def test_a_row_is_kept_for_a_margin_and_then_its_tokens_are_over(start: Start) -> None:
    process = await start()
    await sign_in(process)
    await process.run(LIFE + MARGIN - 60)
    assert await rows(process) == 1
    await process.run(180)
    assert await rows(process) == 0
    assert process.feed.state.pruned_until >= process.world.now - MARGIN
    token = await sign_in(process, "dean")
    assert await process.accepts(token)
    await unlink(process, "dean")
    assert not await process.accepts(token)
