"""Hashes of passwords: what they look like, and the queues of the threads."""

import asyncio

import argon2
import pytest

from service import errors
from service.credentials import hashing
from service.credentials.hashing import Hasher

WORDS = "Tuesday rain on 14 roofs"


@pytest.fixture
def hasher() -> Hasher:
    return Hasher()


async def test_a_hash_is_argon2id_with_the_parameters_of_the_rfc(hasher: Hasher) -> None:
    phc = await hasher.hash(WORDS)
    assert phc.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert phc != await hasher.hash(WORDS)
    assert not hashing.is_outdated(phc)
    assert await hasher.verify(WORDS, phc, lane="stranger")
    assert not await hasher.verify(f"{WORDS}.", phc, lane="known")


@pytest.mark.parametrize("phc", [None, "", "plain", "$argon2id$v=19$m=65536,t=3,p=4$x$y"])
async def test_what_is_no_hash_fits_no_password(hasher: Hasher, phc: str | None) -> None:
    assert not await hasher.verify(WORDS, phc, lane="stranger")


async def test_older_parameters_are_verified_and_outdated(hasher: Hasher) -> None:
    old = argon2.PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(WORDS)
    assert hashing.is_outdated(old)
    assert await hasher.verify(WORDS, old, lane="stranger")


async def test_strangers_cannot_fill_the_queue_of_known_devices(hasher: Hasher) -> None:
    strangers = [
        asyncio.create_task(hasher.verify(WORDS, None, lane="stranger"))
        for _ in range(hashing.WAITING + 2)
    ]
    await asyncio.sleep(0)
    with pytest.raises(errors.Overloaded):
        await hasher.verify(WORDS, None, lane="stranger")
    assert not await hasher.verify(WORDS, None, lane="known")
    assert not all(task.done() for task in strangers)
    for task in strangers:
        task.cancel()
    done = await asyncio.gather(*strangers, return_exceptions=True)
    assert sum(isinstance(each, errors.Overloaded) for each in done) == 1


async def test_a_caller_who_leaves_frees_the_place_when_the_thread_is_free(
    hasher: Hasher,
) -> None:
    running = asyncio.create_task(hasher.verify(WORDS, None, lane="stranger"))
    await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await hasher.hash(WORDS)
