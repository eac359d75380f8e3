"""Sealed values: opened by every replica and after a rotation, by nobody else, for no other use."""

import gc

import pytest
from cryptography.fernet import MultiFernet

from service import keys
from service.keys import KeyRing, shared_secret
from service.keys import key_ring as rings
from service.keys.jwk import generate, read
from service.tokens.encrypted import EncryptedValues
from tests.support.environment import SECRET, Settings

NOW = 1_800_000_000
VALUE = {"next": "/deep?a=1", "n": 3}


def at(ring: KeyRing, now: float = NOW) -> EncryptedValues:
    return EncryptedValues(ring, clock=lambda: now)


def shared(text: str, *previous: str) -> KeyRing:
    return rings.of(shared_secret.read(text), *map(shared_secret.read, previous))


def test_what_one_sealed_every_replica_opens(settings: Settings) -> None:
    ring = keys.load(settings())
    text = at(ring).encrypt("attempt", VALUE)
    assert at(keys.load(settings())).decrypt("attempt", text, max_age=60) == VALUE
    assert text.isascii()
    assert not set(text) & set('=;," \\')
    assert "deep" not in text


@pytest.mark.parametrize("algorithm", ["EdDSA", "ES256", "RS256"])
def test_any_kind_of_key_seals(algorithm: str) -> None:
    members = generate(algorithm)
    text = at(rings.of(read(members, "a"))).encrypt("x", VALUE)
    assert at(rings.of(read(members, "b"))).decrypt("x", text, max_age=60) == VALUE
    assert at(rings.of(read(generate(algorithm), "a"))).decrypt("x", text, max_age=60) is None


def test_after_a_rotation_the_old_key_opens_and_the_new_one_seals() -> None:
    old, new = "old" * 20, "new" * 20
    seals = at(shared(old))
    text = seals.encrypt("x", VALUE)
    seals.use(shared(new, old))
    assert seals.decrypt("x", text, max_age=60) == VALUE
    assert at(shared(new)).decrypt("x", seals.encrypt("x", 1), max_age=60) == 1
    assert at(shared(new)).decrypt("x", text, max_age=60) is None


def test_it_ends_and_is_for_one_purpose() -> None:
    ring = shared(SECRET)
    text = at(ring).encrypt("x", VALUE)
    assert at(ring, NOW + 60).decrypt("x", text, max_age=60) == VALUE
    assert at(ring, NOW + 61).decrypt("x", text, max_age=60) is None
    assert at(ring, NOW - 3600).decrypt("x", text, max_age=60) is None
    assert at(ring).decrypt("y", text, max_age=60) is None


@pytest.mark.parametrize("text", ["", "a", "=", "é", "\ud800", "A" * 200, "gAAAA", "\0"])
def test_anything_else_is_nothing(text: str) -> None:
    seals = at(shared(SECRET))
    assert seals.decrypt("x", text, max_age=60) is None
    good = seals.encrypt("x", VALUE)
    for place in (0, 20, len(good) // 2, -9):
        other = "A" if good[place] != "A" else "B"
        bad = good[:place] + other + good[place:][1:]
        assert seals.decrypt("x", bad, max_age=60) is None
    for bad in (good[1:], f'"{good}"', f"{good} ", f"{good}=", f"{good[:9]}.{good[9:]}"):
        assert seals.decrypt("x", bad, max_age=60) is None


def test_the_key_of_a_use_is_not_the_key() -> None:
    root = shared_secret.read(SECRET)
    assert len({root.sealing("a"), root.sealing("b"), SECRET.encode()[:32]}) == 3
    assert len(root.sealing("a")) == 32
    assert "sealing" not in repr(root)


def test_no_purpose_is_remembered(settings: Settings) -> None:
    """There is one for each attempt to sign in, and anybody begins as many as they like."""
    seals = EncryptedValues(keys.load(settings()))
    for number in range(100):
        seals.decrypt(f"attempt {number}", seals.encrypt(f"attempt {number}", {}), max_age=1)
    gc.collect()
    assert sum(isinstance(each, MultiFernet) for each in gc.get_objects()) < 10
