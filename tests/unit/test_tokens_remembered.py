"""Verified tokens are remembered: within bounds, until they expire or keys change."""

from dataclasses import replace

import pytest

from service import config, errors, keys
from service.keys import key_ring
from service.keys import shared_secret as secret
from service.tokens import issuer as tokens
from tests.support.environment import SECRET, STRONG
from tests.support.handmade_tokens import NO_FILE, NOW, USER, noted


class Moving:
    """A clock that stands until it is moved."""

    now: float = NOW

    def __call__(self) -> float:
        """Return its reading."""
        return self.now


def remembering(clock: Moving) -> tuple[tokens.TokenIssuer, list[bytes]]:
    """Make a Tokens on a clock, and the list of what its key is asked to verify."""
    read = config.load({"ENVIRONMENT": "test", "JWT_SECRET_KEY": SECRET}, NO_FILE)
    root = secret.read(SECRET)
    key = root.session
    asked: list[bytes] = []

    def verify(message: bytes, signature: bytes) -> bool:
        asked.append(message)
        return key.verify(message, signature)

    counted = replace(root, session=replace(key, verify=verify))
    return noted(tokens.TokenIssuer(read, key_ring.of(counted), clock=clock)), asked


def test_a_signature_is_checked_once_and_the_time_of_expiry_each_time() -> None:
    clock = Moving()
    verifying, asked = remembering(clock)
    token, _ = verifying.issue(USER, amr=("cli",), expires_in=60)
    first = verifying.verify(token)
    assert verifying.verify(token) is first
    assert len(asked) == 1
    clock.now += 60
    for _ in range(2):
        with pytest.raises(errors.TokenExpired):
            verifying.verify(token)


def test_new_keys_win_over_what_was_verified_with_the_old_ones() -> None:
    verifying, _ = remembering(Moving())
    token, _ = verifying.issue(USER, amr=("cli",))
    verifying.verify(token)
    other = config.load({"ENVIRONMENT": "test", "JWT_SECRET_KEY": STRONG}, NO_FILE)
    verifying.use(keys.load(other))
    with pytest.raises(errors.TokenInvalid):
        verifying.verify(token)


def test_only_so_many_tokens_are_remembered_and_no_bad_one(monkeypatch: pytest.MonkeyPatch) -> None:
    verifying, asked = remembering(Moving())
    issued = [verifying.issue(USER, amr=("cli",))[0] for _ in range(5)]
    room = 3 * tokens._size(issued[0], verifying.verify(issued[0]))
    monkeypatch.setattr(tokens, "REMEMBERED_BYTES", room)
    verifying.use(verifying._in_use.ring)
    for token in issued:
        verifying.verify(token)
        with pytest.raises(errors.TokenInvalid):
            verifying.verify(token + "A")
    assert list(verifying._verified) == issued[2:]
    before = len(asked)
    verifying.verify(issued[0])
    assert len(asked) == before + 1
