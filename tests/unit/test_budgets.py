"""Budgets: what they let through, what they refuse, and what they share."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from service.errors import DatabaseUnavailable, Overloaded
from service.limits.budgets import Budget, Lane, Pace
from service.limits.byte_cache import Bounded
from service.revocation.documents import KEPT_BYTES, RECENT, WAITING, Document, Documents, Key


@dataclass
class Clock:
    """A stopwatch that is moved by hand."""

    now: float = 100.0

    def __call__(self) -> float:
        """Return its reading."""
        return self.now


async def turns(condition: Callable[[], bool]) -> None:
    """Let others run until something holds."""
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError


async def test_a_budget_bounds_who_works_and_who_waits() -> None:
    budget, go, working = Budget(at_once=2, waiting=3), asyncio.Event(), []

    async def work() -> None:
        async with budget:
            working.append(1)
            await go.wait()

    tasks = [asyncio.create_task(work()) for _ in range(5)]
    await turns(lambda: len(working) == 2)
    for _ in range(3):
        with pytest.raises(Overloaded):
            await work()
    tasks.pop().cancel()  # one that waits gives its place up
    await turns(lambda: budget._room == 1)
    tasks.append(asyncio.create_task(work()))
    await turns(lambda: budget._room == 0)
    go.set()
    await asyncio.gather(*tasks)
    assert (len(working), budget._room) == (5, 5)


async def test_a_lane_works_for_one_at_a_time_and_rests() -> None:
    clock = Clock()
    lane, at_work, most = Lane(waiting=1, rest=3, ticks=clock), 0, 0

    async def work() -> None:
        nonlocal at_work, most
        at_work += 1
        most = max(most, at_work)
        clock.now += 0.01
        await asyncio.sleep(0)
        at_work -= 1

    first, second = (asyncio.create_task(lane.run(work)) for _ in range(2))
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        lane.require_room()
    await first
    assert lane._rested_at == pytest.approx(clock.now + 0.03)
    await second
    assert most == 1
    lane.require_room()


async def test_a_pace_lets_a_burst_begin_and_refuses_who_would_wait_too_long() -> None:
    clock = Clock()
    pace = Pace(10, burst=5, patience=0, held=0, ticks=clock)
    assert [pace.is_free() for _ in range(8)] == [True] * 6 + [False] * 2
    with pytest.raises(Overloaded):
        await pace.turn()
    clock.now += 0.1
    await pace.turn()
    with pytest.raises(Overloaded):
        await pace.turn()


async def test_a_refusal_waits_while_there_is_room_for_it() -> None:
    pace = Pace(1, burst=0, patience=0.2, held=1)
    late = asyncio.create_task(pace.refuse())
    await turns(lambda: pace._held == 1)
    with pytest.raises(Overloaded):
        await pace.refuse()
    assert not late.done()
    with pytest.raises(Overloaded):
        await late
    assert pace._held == 0


@dataclass
class Maker:
    """Makes documents when it may, and counts them."""

    size: int = 10
    made: int = 0
    continues_at: int | None = None
    failure: Exception | None = None
    may: asyncio.Event | None = None

    async def __call__(self) -> Document:
        """Make one."""
        self.made += 1
        if self.may is not None:
            await self.may.wait()
        if self.failure is not None:
            raise self.failure
        return Document(b"x" * self.size, self.continues_at)


async def test_a_document_is_made_once_for_all_who_ask_within_a_second() -> None:
    clock, make = Clock(), Maker()
    documents = Documents(clock)
    key = Key(0, 10_000, "k", "s")
    await asyncio.gather(*(documents.get(key, make) for _ in range(300)))
    clock.now += 0.9
    await documents.get(key, make)
    assert make.made == 1
    clock.now += 0.2
    await documents.get(key, make)
    await documents.get(key._replace(newest=10_001), make)
    await documents.get(key._replace(signer="new"), make)
    assert make.made == 4


async def test_many_places_in_the_feed_keep_nobody_from_the_start_or_from_the_end() -> None:
    documents, make = Documents(), Maker(may=asyncio.Event())
    assert make.may is not None
    newest = 100_000

    def ask(since: int) -> asyncio.Task[bytes]:
        return asyncio.create_task(documents.get(Key(since, newest, "k", "s"), make))

    tasks = [ask(since) for since in range(1, 301)]
    await turns(lambda: sum(task.done() for task in tasks) == 300 - WAITING - 1)
    assert all(isinstance(task.exception(), Overloaded) for task in tasks if task.done())
    start, recent = ask(0), [ask(newest - behind) for behind in range(RECENT + 1)]
    make.may.set()
    await asyncio.gather(start, *recent)
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_the_pages_of_the_whole_feed_have_the_lane_of_its_start() -> None:
    documents = Documents()
    await documents.get(Key(0, 100_000, "k", "s"), Maker(continues_at=10_000))
    blocked = Maker(may=asyncio.Event())
    assert blocked.may is not None
    tasks = [
        asyncio.create_task(documents.get(Key(since, 100_000, "k", "s"), blocked))
        for since in range(1, WAITING + 2)
    ]
    await turns(lambda: blocked.made == 1)
    with pytest.raises(Overloaded):
        await documents.get(Key(9_999, 100_000, "k", "s"), Maker())
    assert await documents.get(Key(10_000, 100_000, "k", "s"), Maker()) == b"x" * 10
    blocked.may.set()
    await asyncio.gather(*tasks)


async def test_a_failure_is_not_remembered_and_blocks_no_lane() -> None:
    documents = Documents()
    for _ in range(3):
        with pytest.raises(DatabaseUnavailable):
            await documents.get(Key(0, 5, "k", "s"), Maker(failure=DatabaseUnavailable()))
    assert await documents.get(Key(0, 5, "k", "s"), Maker())


async def test_documents_are_kept_within_their_bytes() -> None:
    documents = Documents()
    for number in range(100):
        await documents.get(Key(0, number, "k", "s"), Maker(size=300_000))
    assert 0 < documents._documents.kept.bytes <= KEPT_BYTES
    assert len(documents._documents.kept) == KEPT_BYTES // 301_024


def test_a_memory_counts_what_is_in_it() -> None:
    memory: Bounded[str, str] = Bounded(10, lambda key, value: len(key) + len(value))
    memory.put("a", "123")
    memory.put("b", "123")
    memory.put("a", "1")
    assert (list(memory), memory.bytes) == (["b", "a"], 6)
    memory.put("c", "12345")
    assert (list(memory), memory.bytes) == (["a", "c"], 8)
    memory.drop("a")
    memory.drop("a")
    memory.put("d", "1" * 20)
    assert (list(memory), memory.bytes) == ([], 0)
