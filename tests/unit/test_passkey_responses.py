"""Broken answers of authenticators: refused with one error, whatever the libraries raise."""

import contextlib
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from hypothesis import given
from hypothesis import strategies as st

from service.credentials import authenticators, passkey_responses
from service.credentials.passkey_options import Party
from service.credentials.passkey_responses import Refused
from service.credentials.passkeys import Passkey
from tests.support.authenticator import Authenticator, data, new_key, text, with_response

ORIGIN = "http://localhost:1"
PARTY = Party("localhost", ORIGIN)
CHALLENGE = text(b"c" * 32)
KEYS = [Authenticator(ORIGIN, key=key) for key in (new_key(), ed25519.Ed25519PrivateKey.generate())]
CREATED = [key.create({"user": {"id": "AA"}, "challenge": CHALLENGE}) for key in KEYS]
BOMBS = [
    b"\x9b" + b"\xff" * 8,
    b"\xbb\x7f" + b"\xff" * 7,
    b"\x5b\x00\x00\x00\x7f" + b"\xff" * 4,
    b"\xc4\x82\x1b\x7f" + b"\xff" * 7 + b"\x01",
    b"\xd8\x1e\x82\x01\x00",
    b"\xd8\x1d\x00",
]
"""CBOR with huge lengths, exponents, fractions by zero and references."""


@st.composite
def broken(draw: st.DrawFn, sound: bytes) -> bytes:
    """Return bytes with a few changes: other bytes, more of them, or fewer."""
    made = bytearray(sound)
    for _ in range(draw(st.integers(1, 4))):
        # The same draws for every length: signatures differ in theirs.
        place = draw(st.integers(0, 5000)) % max(len(made), 1)
        match draw(st.sampled_from(("change", "insert", "bomb", "cut"))):
            case "change":
                made[place : place + 1] = draw(st.binary(min_size=1, max_size=1))
            case "insert":
                made[place:place] = draw(st.binary(min_size=1, max_size=8))
            case "bomb":
                made[place:place] = draw(st.sampled_from(BOMBS))
            case _:
                del made[place:]
    return bytes(made)


def stored(key: Authenticator) -> Passkey:
    """Return the row of a passkey."""
    new = passkey_responses.verify_registration(
        PARTY, CREATED[KEYS.index(key)], CHALLENGE, user_handle="AA"
    )
    return {
        "id": 1,
        "user_id": 1,
        "user_handle": "AA",
        "credential_id": new.credential_id,
        "public_key": new.public_key,
        "sign_count": 0,
        "backup_eligible": 0,
        "backed_up": 0,
        "aaguid": "",
        "transports": "",
        "name": "",
        "created_at": "",
        "last_used_at": None,
    }


@given(st.data())
def test_a_broken_registration_is_refused_or_harmless(
    case: st.DataObject,
) -> None:
    number = case.draw(st.integers(0, len(KEYS) - 1))
    sound = CREATED[number]
    encoded = case.draw(broken(data(sound["response"]["attestationObject"])))
    made = with_response(sound, attestationObject=text(encoded))
    with contextlib.suppress(Refused):
        new = passkey_responses.verify_registration(PARTY, made, CHALLENGE, user_handle="AA")
        assert new.credential_id == sound["id"]


@given(st.data())
def test_a_broken_sign_in_is_refused(case: st.DataObject) -> None:
    key = case.draw(st.sampled_from(KEYS))
    sound = key.get({"challenge": CHALLENGE})
    name = case.draw(st.sampled_from(("clientDataJSON", "authenticatorData", "signature")))
    encoded = case.draw(broken(data(sound["response"][name])))
    made = with_response(sound, **{name: text(encoded)})
    if made == sound:
        return
    with pytest.raises(Refused):
        passkey_responses.verify_authentication(PARTY, made, CHALLENGE, stored(key))


@given(st.recursive(st.none() | st.integers() | st.text(), st.lists))
def test_any_value_may_stand_for_a_member(value: Any) -> None:
    sound = KEYS[0].get({"challenge": CHALLENGE})
    for made in (
        *({**sound, name: value} for name in ("id", "rawId", "type", "response")),
        *({**sound, "response": {**sound["response"], name: value}} for name in sound["response"]),
    ):
        with pytest.raises(Refused):
            passkey_responses.verify_authentication(
                PARTY, {**made, "id": passkey_responses.credential_id_of(made)}, CHALLENGE, ROW
            )


ROW = stored(KEYS[0])


def test_a_reason_is_never_from_the_answer() -> None:
    made = KEYS[0].get({"challenge": CHALLENGE}, origin="https://words.example")
    with pytest.raises(Refused) as refused:
        passkey_responses.verify_authentication(PARTY, made, CHALLENGE, ROW)
    assert str(refused.value) == "InvalidAuthenticationResponse"


def test_authenticators_have_names() -> None:
    assert authenticators.name_of("d548826e-79b4-db40-a3d8-11116f7e8349") == "Bitwarden"
    assert authenticators.name_of("00000000-0000-0000-0000-000000000000") == "Passkey"
