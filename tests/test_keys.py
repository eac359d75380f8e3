"""Keys: one key, one algorithm, and the bytes of its secret are the text as it stands."""

import dataclasses
import hmac
import json

import jwt
import pytest

from service import keys
from service.errors import Fault
from tests.conftest import SECRET, Settings

MESSAGE = b"header.payload"
OTHER = SECRET.swapcase()
NO_SECRETS = {
    "a PEM key": f"-----BEGIN PUBLIC KEY-----\n{'A' * 64}\n-----END PUBLIC KEY-----",
    "an SSH key": f"ssh-rsa {'A' * 64}",
    "a JWK": json.dumps({"kty": "oct", "k": "A" * 64}),
    "a JWK Set": json.dumps({"keys": [{"kty": "oct", "k": "A" * 64}]}),
}


@pytest.mark.parametrize(
    "secret",
    [SECRET, f"{SECRET}\n", "\u043a\u043b\u044e\u0447" * 8, '{"not": "a JWK, though an object"}'],
    ids=["ASCII", "with a line end", "Cyrillic", "JSON"],
)
def test_a_secret_signs_as_the_utf_8_bytes_of_its_text(secret: str) -> None:
    key = keys.from_secret(secret)
    assert key.algorithm == "HS256"
    assert key.sign(MESSAGE) == hmac.digest(secret.encode(), MESSAGE, "sha256")
    assert key.verify(MESSAGE, key.sign(MESSAGE))


def test_a_key_verifies_nothing_but_its_own_signature_of_this_message() -> None:
    key, stranger = keys.from_secret(SECRET), keys.from_secret(OTHER)
    good = key.sign(MESSAGE)
    assert not key.verify(MESSAGE, stranger.sign(MESSAGE))
    assert not key.verify(MESSAGE + b"2", good)
    for bad in (b"", good[:-1], good + b"\0", bytes(32), hmac.digest(b"", MESSAGE, "sha256")):
        assert not key.verify(MESSAGE, bad)


@pytest.mark.parametrize("text", NO_SECRETS.values(), ids=NO_SECRETS)
def test_a_key_of_another_kind_is_not_a_secret(text: str) -> None:
    with pytest.raises(jwt.InvalidKeyError):
        keys.from_secret(text)


@pytest.mark.parametrize("name", ["JWT_SECRET_KEY", "JWT_SECRET_KEY_PREVIOUS"])
@pytest.mark.parametrize("text", NO_SECRETS.values(), ids=NO_SECRETS)
def test_a_setting_that_is_a_key_of_another_kind_is_named(
    settings: Settings, name: str, text: str
) -> None:
    with pytest.raises(Fault, match=f"{name} "):
        keys.load(settings(**{name: text}))


def test_a_key_cannot_be_changed_and_does_not_show_its_secret() -> None:
    key = keys.from_secret(SECRET)
    assert repr(key) == "Key(algorithm='HS256')"
    with pytest.raises(dataclasses.FrozenInstanceError):
        key.algorithm = "none"  # type: ignore[misc]


def test_one_secret_signs_and_verifies(settings: Settings) -> None:
    ring = keys.load(settings(JWT_SECRET_KEY=SECRET))
    assert ring.verifying == (ring.signing,)
    assert ring.signing.sign(MESSAGE) == keys.from_secret(SECRET).sign(MESSAGE)


def test_the_newest_secret_signs_and_all_verify(settings: Settings) -> None:
    ring = keys.load(settings(JWT_SECRET_KEY=OTHER, JWT_SECRET_KEY_PREVIOUS=SECRET))
    new, old = (keys.from_secret(secret).sign(MESSAGE) for secret in (OTHER, SECRET))
    assert ring.signing.sign(MESSAGE) == new
    assert not ring.signing.verify(MESSAGE, old)
    assert [
        [key.verify(MESSAGE, signature) for signature in (new, old)] for key in ring.verifying
    ] == [
        [True, False],
        [False, True],
    ]
