"""What a process does regularly: horizons are noted in advance, and wrong clocks delete nothing."""

import io
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from service import db, errors, keys, users
from service.cli.tokens import noted_token
from service.telemetry import logs
from service.tokens import lifetimes
from service.tokens.issuer import TokenIssuer
from service.tokens.lifetimes import LEAD, MARGIN
from tests.support import people
from tests.support.environment import Settings
from tests.support.stores import ON_POSTGRESQL, ON_SQLITE
from tests.support.worlds import HOUR, LIFE, NOW, Process, World

Start = Callable[..., Awaitable[Process]]

FAST = 7 * HOUR


@pytest.fixture
async def start(world: World, settings: Settings) -> AsyncIterator[Start]:
    """Yield what starts a process on connections of its own."""
    opened = []

    async def begin(**given: float) -> Process:
        context = db.connect(world.where)
        opened.append(context)
        return await Process(world, await context.__aenter__(), settings, **given).start()  # type: ignore[arg-type]

    yield begin
    for each in opened:
        await each.__aexit__(None, None, None)


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """Return what is logged."""
    lines = io.StringIO()
    monkeypatch.setattr(logs, "_sink", logs.Sink(lines, "text", logs.INFO))
    return lines


def written(log: io.StringIO) -> str:
    """Return what was logged until now."""
    logs.flush()
    return log.getvalue()


async def disable(process: Process, username: str = "user") -> None:
    """Disable a user, and enable it again: the tokens from before are revoked."""
    async with process.database.transaction() as tx:
        await users.set_disabled(tx, people.BY, username, disabled=True)
        await users.set_disabled(tx, people.BY, username, disabled=False)


async def test_a_horizon_is_noted_before_the_first_token_and_renewed_in_advance(
    start: Start, world: World
) -> None:
    process = await start()
    horizon = process.tokens.horizon
    assert horizon == NOW + LIFE + LEAD
    await process.run(LEAD / 2 - 60)
    assert process.tokens.horizon == horizon
    await process.run(60)
    assert process.tokens.horizon == world.now + LIFE + LEAD
    (row,) = await process.database.fetch_all("SELECT seconds, until FROM token_lifetimes")
    assert row == {"seconds": LIFE, "until": process.tokens.horizon}


async def test_no_token_is_issued_beyond_the_horizon(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = await start()
    process.error = 2 * HOUR
    with pytest.raises(errors.DatabaseUnavailable):
        await process.sign_in()
    monkeypatch.setattr(process.database, "transaction", _gone)
    with pytest.raises(errors.DatabaseUnavailable):
        await process.keeping.tend()
    with pytest.raises(errors.DatabaseUnavailable):
        await process.sign_in()
    monkeypatch.undo()
    await process.keeping.tend()
    assert await process.accepts(await process.sign_in())


def _gone() -> None:
    raise errors.DatabaseUnavailable


async def test_a_horizon_that_the_database_has_lost_is_noted_again(start: Start) -> None:
    process = await start()
    async with process.database.transaction() as tx:
        await tx.execute("UPDATE token_lifetimes SET until = until - 7000")
    await process.feed.catch_up()
    await process.keeping.tend()
    (row,) = await process.database.fetch_all("SELECT until FROM token_lifetimes")
    assert row["until"] == process.tokens.horizon == NOW + LIFE + LEAD


async def test_a_token_of_a_running_process_with_a_longer_life_stays_revoked(
    start: Start, world: World
) -> None:
    long, short = await start(life=LIFE), await start(life=120)
    for _ in range(60):  # for longer than the long life
        world.pass_by(600)
        for process in (long, short):
            await process.tend()
    token = await long.sign_in()
    await disable(short)
    await disable(short, "manager")  # the newest row is never deleted
    for _ in range(30):
        world.pass_by(60)
        for process in (long, short):
            await process.tend()
    for process in (long, short, await long.start(), await short.start()):
        assert not await process.accepts(token)


async def test_no_start_ends_a_lifetime_that_another_process_uses(
    start: Start, world: World
) -> None:
    long = await start(life=30 * 86400)
    short = await start(life=120)
    token = await long.sign_in()
    assert await short.accepts(token)
    await disable(short)
    for process in (long, short):
        assert not await process.accepts(token)
    world.pass_by(29 * 86400)
    for process in (await long.start(), await short.start()):
        await process.run(3 * HOUR)
        assert not await process.accepts(token)


@pytest.mark.parametrize("error", [FAST, 3 * 86400])
async def test_a_clock_that_is_fast_for_a_minute_deletes_and_misses_nothing(
    start: Start, error: float
) -> None:
    right = await start()
    token, other = await right.sign_in(), await right.sign_in("manager")
    await disable(right)
    wrong = await start(error=error)
    assert wrong.feed.seq == 2
    await wrong.run(61)
    wrong.error = 0
    await wrong.run(2 * HOUR)
    for process in (right, wrong, await right.start()):
        await process.keeping.tend()
        assert not await process.accepts(token)
        assert await process.accepts(other)


async def test_a_clock_that_jumps_ahead_while_running_deletes_nothing(start: Start) -> None:
    process = await start()
    await process.run(2 * HOUR)
    token, other = await process.sign_in(), await process.sign_in("manager")
    await disable(process)
    await disable(process, "contributor")  # the newest row is never deleted
    process.error = 3 * 86400
    await process.run(180)
    process.error = 0
    await process.run(180)
    await process.start()
    assert not await process.accepts(token)
    assert await process.accepts(other)


async def test_a_revocation_by_a_slow_clock_lasts_as_long(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = await start()
    token = await process.sign_in()
    slow = await start(error=-FAST)
    monkeypatch.setattr("service.revocation.events.rows.time.time", lambda: NOW - FAST)
    await disable(slow)
    await process.run(5 * HOUR)
    assert not await process.accepts(token)
    assert not await (await process.start()).accepts(token)


@pytest.mark.parametrize("later", [HOUR / 2, HOUR - 1])
async def test_a_slow_server_that_starts_again_does_not_accept_what_others_forgot(
    start: Start, later: float
) -> None:
    right, slow = await start(), await start(error=-FAST)
    token = await right.sign_in()
    await disable(right)
    await right.run(12 * HOUR)
    await disable(right, "manager")  # the newest row is never deleted
    await right.run(later)
    assert len(await people.feed_rows(right.database)) == 2
    assert not await slow.accepts(token)
    assert not await (await slow.start()).accepts(token)


async def test_what_is_over_is_pruned_by_a_steady_clock(start: Start) -> None:
    process = await start()
    await disable(process, "user")
    await disable(process, "manager")
    await process.run(LIFE + LEAD + MARGIN - 60)
    assert len(await people.feed_rows(process.database)) == 4
    await process.run(180)
    assert len(await people.feed_rows(process.database)) == 1
    await disable(process)
    assert await process.accepts(await process.sign_in())
    assert len(process.feed) == 1


@ON_POSTGRESQL
async def test_a_clock_that_differs_from_the_databases_prunes_nothing_and_warns_once(
    start: Start, log: io.StringIO
) -> None:
    process = await start(error=-8)
    assert written(log).count(" clock_differs ") == 1
    assert "from_clock_of=database seconds=-8" in written(log)
    await disable(process)
    await disable(process, "manager")
    await process.run(LIFE + LEAD + MARGIN + 2 * HOUR)
    assert len(await people.feed_rows(process.database)) == 4
    assert written(log).count(" clock_differs ") == 1
    process.error = 60
    await process.run(120)
    assert written(log).count(" clock_differs ") == 2
    process.error = 0
    await process.run(2 * HOUR)
    assert len(await people.feed_rows(process.database)) == 1
    assert written(log).count(" clock_differs ") == 2


@ON_SQLITE
async def test_processes_on_one_file_compare_their_clocks(start: Start, log: io.StringIO) -> None:
    right = await start()
    await right.run(120)
    wrong = await start(error=FAST)
    assert " clock_differs " not in written(log)  # the other note may be old
    await right.tend()
    assert f"from_clock_of=process seconds={-FAST}" in written(log)
    await wrong.tend()
    assert f"from_clock_of=process seconds={FAST}" in written(log)
    await right.run(180)
    assert written(log).count(" clock_differs ") == 2


async def test_a_start_with_a_clock_behind_the_last_note_warns(
    start: Start, log: io.StringIO
) -> None:
    await start()
    await start(error=-FAST)
    assert f"seconds={-FAST}" in written(log)


@ON_SQLITE
async def test_two_fast_clocks_do_not_confirm_each_other_while_a_right_one_disagrees(
    start: Start, world: World
) -> None:
    token = await (await start(life=12 * HOUR)).sign_in()  # nothing else notes this life
    fast, right, other = (
        await start(life=HOUR, error=3 * 86400),
        await start(),
        await start(error=3 * 86400),
    )
    for _ in range(6 * 5):
        world.pass_by(600)
        for process in (fast, right, other) * 2:  # the note of `other` replaces that of `right`
            await process.tend()
    assert await right.accepts(token)


async def test_a_note_from_while_this_process_was_stopped_is_no_other_clock(
    start: Start, world: World, log: io.StringIO
) -> None:
    process, stopped = await start(), await start()
    await stopped.tend()
    await process.run(LEAD / 2)
    world.pass_by(600)
    await stopped.tend()
    assert " clock_differs " not in written(log)


@pytest.mark.parametrize("error", [-4, 0, 4])
async def test_no_token_outlives_a_sign_out_of_all(
    start: Start, world: World, error: float
) -> None:
    here, there = await start(), await start(error=error)
    user = await users.get_by_username(here.database, "user")
    old = [process.tokens.issue(user, amr=("cli",)) for process in (here, there)]
    world.pass_by(7)  # so long that an exchange by a fast clock is what matters
    old += [process.tokens.issue(user, amr=("cli",)) for process in (here, there)]
    old += [there.tokens.exchange(*each) for each in old]
    await there.tend()
    await sign_out_all(here)
    world.pass_by(0.9)  # `there` has not heard of it
    old += [there.tokens.exchange(text, await there.feed.check(claims)) for text, claims in old]
    old += [there.tokens.issue(user, amr=("cli",))]
    for process in (here, there):
        for token, _ in old:
            assert not await process.accepts(token)


@pytest.mark.parametrize("error", [-4, 0, 4])
async def test_sessions_begin_at_once_after_a_sign_out_of_all(
    start: Start, world: World, error: float
) -> None:
    here, there = await start(), await start(error=error)
    for _ in range(2):  # the second in the same second as the first
        await sign_out_all(here)
        await here.tend()
        await there.tend()
        by_command = TokenIssuer(here.config(), keys.load(here.config()), clock=lambda: world.now)
        async with here.database.transaction() as tx:
            issued, _ = await noted_token(tx, by_command, "user", LIFE)
        fresh = [issued, await here.sign_in(), await there.sign_in()]
        fresh += [here.tokens.exchange(token, here.tokens.verify(token))[0] for token in fresh]
        for process in (here, there):
            for token in fresh:
                assert await process.accepts(token)
    await sign_out_all(here)
    for token in fresh:
        assert not await here.accepts(token)


@pytest.mark.parametrize("error", [-4, 0, 4])
async def test_many_sign_outs_of_all_within_a_second_end_what_began_between_them(
    start: Start, world: World, error: float
) -> None:
    here, there = await start(), await start(error=error)
    moments, tokens = [], []
    for _ in range(12):
        for process, wrong in ((here, 0), (there, error)):
            await sign_out_all(process, wrong)
            moments.append((await lifetimes.state(here.database)).not_before)
            for each in (here, there):
                await each.tend()
                tokens.append(await each.sign_in())
    await sign_out_all(here)
    for process in (here, there, await start()):
        for token in tokens:
            assert not await process.accepts(token)
    assert moments == sorted(moments)
    world.pass_by(16)  # no longer than that nobody can sign in
    for process in (here, there):
        assert await process.accepts(await process.sign_in())


async def test_a_moment_that_a_fast_clock_wrote_is_moved_back(start: Start, world: World) -> None:
    process = await start()
    for _ in range(6):
        await sign_out_all(process)
        await process.tend()
    dated_ahead = await process.sign_in()
    await sign_out_all(process, error=30 * 24 * HOUR)
    await process.start()
    assert not await process.accepts(await process.sign_in())
    old = await process.sign_in()
    await sign_out_all(process)
    await process.start()
    assert not await process.accepts(old)
    assert not await process.accepts(dated_ahead)
    world.pass_by(6)
    assert await process.accepts(await process.sign_in())


async def sign_out_all(process: Process, error: float = 0) -> None:
    """Sign all users out by a command on a machine whose clock is wrong by `error` seconds."""
    async with process.database.transaction() as tx:
        await users.sign_out_all(tx, people.BY, int(process.world.now + error))


async def test_a_process_that_was_stopped_beyond_the_horizon_issues_and_accepts_nothing_of_before(
    start: Start,
) -> None:
    running, stopped = await start(), await start()
    token, read_before = (
        await stopped.sign_in(),
        await users.get_by_username(stopped.database, "user"),
    )
    await disable(running)
    await disable(running, "manager")  # the newest row is never deleted
    await running.run(LIFE + LEAD + MARGIN + HOUR)  # the rows about the user are pruned
    with pytest.raises(errors.DatabaseUnavailable):
        stopped.tokens.issue(read_before, amr=("cli",))
    assert not await stopped.accepts(token)
    await stopped.tend()
    assert await stopped.accepts(await stopped.sign_in())
