"""Challenges of WebAuthn: how long they are valid, for whom, and how long their use is stored."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.credentials import challenges
from service.db import Database
from service.keys import key_ring as rings
from service.keys import load, shared_secret
from service.tokens.encrypted import EncryptedValues
from tests.support.environment import SECRET, STRONG, Settings


class Clock:
    """A clock that a test sets."""

    now = 1_800_000_000.0

    def read(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def values(settings: Settings, clock: Clock) -> EncryptedValues:
    return EncryptedValues(load(settings()), clock=clock.read)


def test_a_challenge_is_valid_for_five_minutes(values: EncryptedValues, clock: Clock) -> None:
    text = challenges.new(values, "sign-in")
    clock.now += 300
    found = challenges.read(values, text, "sign-in")
    assert found is not None
    assert found.text == text
    clock.now += 1
    assert challenges.read(values, text, "sign-in") is None


def test_a_challenge_is_for_one_subject(values: EncryptedValues) -> None:
    text = challenges.new(values, "account 1", user_handle="AA")
    assert challenges.read(values, text, "account 2") is None
    assert challenges.read(values, text, "account 1") == (text, "account 1", "AA")


def test_replicas_read_each_others_challenges_also_after_a_rotation(
    settings: Settings, values: EncryptedValues, clock: Clock
) -> None:
    text = challenges.new(values, "sign-in")
    old = settings().jwt_secret_key
    assert old is not None
    rotated = settings(JWT_SECRET_KEY=STRONG, JWT_SECRET_KEY_PREVIOUS=old)
    for config, is_known in ((settings(), True), (rotated, True)):
        other = EncryptedValues(load(config), clock=clock.read)
        assert (challenges.read(other, text, "sign-in") is not None) is is_known
    stranger = EncryptedValues(load(settings(JWT_SECRET_KEY=STRONG)), clock=clock.read)
    assert challenges.read(stranger, text, "sign-in") is None


def test_no_two_challenges_are_the_same(values: EncryptedValues) -> None:
    assert len({challenges.new(values, "sign-in") for _ in range(100)}) == 100


def _values() -> EncryptedValues:
    return EncryptedValues(rings.of(shared_secret.read(SECRET)))


@given(text=st.text(max_size=300))
def test_other_texts_are_no_challenge(text: str) -> None:
    assert challenges.read(_values(), text, "sign-in") is None


@given(place=st.integers(0, 10_000), letter=st.sampled_from("AZaz09-_=+/ \n"))
def test_no_other_spelling_of_a_challenge_is_one(place: int, letter: str) -> None:
    values = _values()
    text = challenges.new(values, "sign-in")
    place %= len(text)
    changed = text[:place] + letter + text[place + 1 :]
    assert (challenges.read(values, changed, "sign-in") is None) is (changed != text)


def test_the_last_letter_has_one_spelling() -> None:
    values = _values()
    for _ in range(8):
        text = challenges.new(values, "sign-in")
        letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        known = [
            letter
            for letter in letters
            if challenges.read(values, text[:-1] + letter, "sign-in") is not None
        ]
        assert known == [text[-1]]


async def test_a_use_is_stored_until_long_after_the_end(database: Database) -> None:
    values = _values()
    found = challenges.read(values, challenges.new(values, "sign-in"), "sign-in")
    assert found is not None
    async with database.transaction() as tx:
        assert await challenges.use_once(tx, found)
        assert not await challenges.use_once(tx, found)
    assert not await challenges.has_dead(database, 0)
    async with database.transaction() as tx:
        await tx.execute("UPDATE used_challenges SET until = until - 1800")
    assert not await challenges.has_dead(database, 0)
    async with database.transaction() as tx:
        await tx.execute("UPDATE used_challenges SET until = until - 3600")
    assert await challenges.has_dead(database, 0)
    async with database.transaction() as tx:
        assert await challenges.prune(tx, 0) == 1
        assert await challenges.use_once(tx, found)
