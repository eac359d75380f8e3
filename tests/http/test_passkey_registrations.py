"""Registrations that no authenticator makes: refused with 422, never a 500, and nothing stored."""

from collections.abc import Callable
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from tests.support.authenticator import (
    AT,
    BS,
    ED,
    SOUND,
    UP,
    UV,
    Authenticator,
    cose,
    data,
    new_key,
    text,
    with_response,
)
from tests.support.client import ask
from tests.support.passkeys import (
    OWN,
    as_user,
    by_passkey,
    creation_options,
    register,
    registered,
    request_options,
    send,
)
from tests.support.servers import Running, Server
from tests.support.stores import Store

Credential = dict[str, Any]
Make = Callable[[Authenticator, dict[str, Any]], Credential]


@pytest.fixture(scope="module")
def site(running: Running, store: Store) -> Server:
    """Return a server with passkeys."""
    return running.start(store, PASSKEY_AUTH="true")


@pytest.fixture(scope="module")
def key(site: Server) -> Authenticator:
    """Return a passkey of admin."""
    return registered(site, "admin")


def attested(public_key: object) -> Make:
    """Return what registers another public key: an object to encode, or bytes."""

    def make(key: Authenticator, options: dict[str, Any]) -> Credential:
        encoded = public_key if isinstance(public_key, bytes) else cbor2.dumps(public_key)
        inner = key.auth_data(key.attested(encoded), flags=SOUND | AT)
        return key.create(options, auth_data=inner)

    return make


def attestation(encoded: bytes) -> Make:
    return lambda key, options: key.create(options, attestation=encoded)


def statement(fmt: object, value: object) -> Make:
    def make(key: Authenticator, options: dict[str, Any]) -> Credential:
        inner = key.auth_data(key.attested(), flags=SOUND | AT)
        made = cbor2.dumps({"fmt": fmt, "attStmt": value, "authData": inner})
        return key.create(options, attestation=made)

    return make


def create(**changes: Any) -> Make:
    return lambda key, options: key.create(options, **changes)


def create_data(flags: int, extra: bytes = b"") -> Make:
    return lambda key, options: key.create(
        options, auth_data=key.auth_data(key.attested() + extra, flags=flags)
    )


def with_id(credential_id: bytes) -> Make:
    def make(key: Authenticator, options: dict[str, Any]) -> Credential:
        key.credential_id = credential_id
        return key.create(options)

    return make


def small_rsa() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 1024)  # noqa: S505  # what must be refused


EC = cose(new_key())
REGISTRATIONS: dict[str, Make] = {
    "another origin": create(origin="https://evil.example"),
    "frame on another site": create(crossOrigin=True),
    "topOrigin": create(topOrigin="https://evil.example"),
    "type of a sign-in": create(type="webauthn.get"),
    "another challenge": create(challenge="AAAAAAAAAAAAAAAAAAAAAA"),
    "user not verified": create_data(UP | AT),
    "user not present": create_data(UV | AT),
    "backed up but not eligible": create_data(SOUND | AT | BS),
    "no attested data": create_data(SOUND),
    "bytes left over": create_data(SOUND | AT, b"\x00"),
    "extensions that are broken": create_data(SOUND | AT | ED, b"\xff"),
    "attestation of nothing": attestation(b"\x00"),
    "attestation a list": attestation(b"\x80"),
    "attestation truncated": lambda key, options: key.create(
        options, attestation=data(key.create(options)["response"]["attestationObject"])[:-7]
    ),
    "attestation with a huge length": attestation(b"\x9b" + b"\xff" * 8),
    "attestation with a huge text": attestation(b"\x7b" + b"\x7f" * 8 + b"x"),
    "attestation nested deeply": attestation(b"\x81" * 20_000),
    "attestation with huge tags": attestation(b"\xc2\x59\x40\x00" + b"\xff" * 16_384),
    "attestation that refers to itself": attestation(b"\xd8\x1c\x81\xd8\x1d\x00"),
    "attestation too large": attestation(b"\x00" * 33_000),
    "attestation without a format": attestation(cbor2.dumps({"attStmt": {}, "authData": b""})),
    "attestation data a number": attestation(
        cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": 7})
    ),
    "attestation data a text": attestation(
        cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": "x" * 64})
    ),
    "unknown format": statement("latchkey", {}),
    "format a number": statement(7, {}),
    "none with a statement": statement("none", {"sig": b"x"}),
    "packed with a wrong signature": statement("packed", {"alg": -7, "sig": b"x" * 70}),
    "packed with broken certificates": statement(
        "packed", {"alg": -7, "sig": b"x", "x5c": [b"x", b"y"]}
    ),
    "packed without anything": statement("packed", {}),
    "packed with a number": statement("packed", 7),
    "u2f with broken certificates": statement("fido-u2f", {"sig": b"x", "x5c": [b"\x30\x80"]}),
    "tpm with broken values": statement(
        "tpm",
        {"ver": "2.0", "alg": -7, "sig": b"x", "x5c": [b"x"], "certInfo": b"x", "pubArea": b"x"},
    ),
    "android with a broken response": statement(
        "android-safetynet", {"ver": "1", "response": b"x"}
    ),
    "apple with broken certificates": statement("apple", {"x5c": [b"x"]}),
    "key empty": attested(b""),
    "key a number": attested(7),
    "key a list": attested([1, 2]),
    "key an empty map": attested({}),
    "key of an unknown type": attested({**EC, 1: 99}),
    "algorithm ES256K": attested({**EC, 3: -47}),
    "algorithm none": attested({**EC, 3: 0}),
    "algorithm a text": attested({**EC, 3: "ES256"}),
    "algorithm RS1": attested({**EC, 3: -65535}),
    "algorithm of another type": attested({**EC, 3: -257}),
    "curve P-384 with ES256": attested({**cose(ec.generate_private_key(ec.SECP384R1())), 3: -7}),
    "curve unknown": attested({**EC, -1: 99}),
    "point off the curve": attested({**EC, -3: b"\x01" * 32}),
    "point of zeros": attested({**EC, -2: bytes(32), -3: bytes(32)}),
    "coordinate a text": attested({**EC, -2: "x"}),
    "coordinate a number": attested({**EC, -2: 7}),
    "coordinate missing": attested({name: EC[name] for name in (1, 3, -1, -2)}),
    "Ed25519 too short": attested(cose(ed25519.Ed25519PrivateKey.generate(), x=b"x")),
    "RSA of 1024 bits": attested(cose(small_rsa())),
    "RSA with exponent 1": attested({1: 3, 3: -257, -1: b"\xff" * 256, -2: b"\x01"}),
    "RSA of 16384 bits": attested({1: 3, 3: -257, -1: b"\xff" * 2_048, -2: b"\x01\x00\x01"}),
    "ID of the JSON differs": lambda key, options: {
        **key.create(options),
        "id": text(b"y" * 32),
        "rawId": text(b"y" * 32),
    },
    "ID too short": with_id(b"short"),
    "ID empty": with_id(b""),
    "ID too long": with_id(b"y" * 1_024),
    "client data missing": lambda key, options: with_response(
        key.create(options), clientDataJSON=None
    ),
    "attestation object missing": lambda key, options: with_response(
        key.create(options), attestationObject=None
    ),
    "attestation object a number": lambda key, options: with_response(
        key.create(options), attestationObject=7
    ),
    "answer of a sign-in": lambda key, options: key.get(options),
    "nothing": lambda _key, _options: {},
}


@pytest.mark.parametrize("name", REGISTRATIONS)
def test_a_registration_is_refused(site: Server, name: str) -> None:
    headers = as_user(site, "contributor")
    before = ask(site.port, OWN, headers=headers).json
    made = REGISTRATIONS[name](Authenticator(site.url), creation_options(site, headers))
    answer = send(site, OWN, {"credential": made}, headers=headers)
    assert answer.status == 422, answer.text
    assert answer.code == "passkey_invalid"
    assert ask(site.port, OWN, headers=headers).json == before


@pytest.mark.parametrize(
    "make_key",
    [
        new_key,
        ed25519.Ed25519PrivateKey.generate,
        lambda: rsa.generate_private_key(65537, 2048),
    ],
    ids=["ES256", "EdDSA", "RS256"],
)
def test_every_algorithm_of_the_options_signs_in(site: Server, make_key: Any) -> None:
    key = registered(site, "manager", key=make_key())
    assert by_passkey(site, key).status == 200
    bad = key.get(request_options(site), signature=b"\x00" * 64)
    assert send(site, "/auth/passkey", {"credential": bad}).code == "passkey_invalid"


def test_a_passkey_is_registered_once_for_all_users(site: Server, key: Authenticator) -> None:
    for username in ("admin", "contributor"):
        copy = Authenticator(site.url, key=key.key, credential_id=key.credential_id)
        answer = register(site, as_user(site, username), copy)
        assert (answer.status, answer.code) == (422, "passkey_invalid")


@pytest.mark.parametrize(
    ("members", "attribute"),
    [
        ({"name": "x" * 65}, "name"),
        ({"name": 7}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": "\u202eevil"}, "name"),
        ({"name": "\u200b\u200b"}, "name"),
        ({"id": 7}, "id"),
        ({"current": "x" * 257}, "current"),
    ],
)
def test_members_are_checked(site: Server, members: dict[str, object], attribute: str) -> None:
    answer = register(site, as_user(site, "contributor"), Authenticator(site.url), **members)
    assert (answer.status, answer.code) == (422, "validation_error")
    assert [each["attribute"] for each in answer.json["errors"]] == [attribute]


def test_a_user_has_at_most_32_passkeys(site: Server) -> None:
    assert site.cli("user", "create", "collector").returncode == 0
    headers = as_user(site, "collector")
    for _ in range(32):
        assert register(site, headers, Authenticator(site.url)).status == 201
    answer = register(site, headers, Authenticator(site.url))
    assert (answer.status, answer.code) == (422, "passkey_invalid")
    assert "32" in answer.json["detail"]
