"""Hostile signatures of asymmetric keys: only the exact one of the standard is taken."""

import base64
import hmac
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from service import errors
from service.keys.key import Key
from tests.unit.test_tokens_asymmetric import (
    ALL,
    EVERY,
    KEYS,
    PRIVATE,
    SIZES,
    Sign,
    header,
    refusal,
    token,
)

P256 = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
ED25519 = 2**252 + 27742317777372353535851937790883648493


def flipped(signature: bytes, at: int) -> bytes:
    return signature[:at] + bytes([signature[at] ^ 1]) + signature[at + 1 :]


FORGED: dict[str, Callable[[Key, bytes], bytes]] = {
    "empty but for a byte": lambda _key, _message: b"\0",
    "cut short": lambda key, message: key.sign(message)[:-1],
    "without its first byte": lambda key, message: key.sign(message)[1:],
    "half": lambda key, message: key.sign(message)[: len(key.sign(message)) // 2],
    "a byte longer": lambda key, message: key.sign(message) + b"\0",
    "a byte longer before": lambda key, message: b"\0" + key.sign(message),
    "twice": lambda key, message: key.sign(message) * 2,
    "all zeros": lambda key, message: bytes(len(key.sign(message))),
    "all ones": lambda key, message: b"\xff" * len(key.sign(message)),
    "the first bit flipped": lambda key, message: flipped(key.sign(message), 0),
    "the middle flipped": lambda key, message: flipped(
        key.sign(message), len(key.sign(message)) // 2
    ),
    "the last bit flipped": lambda key, message: flipped(key.sign(message), -1)[
        : len(key.sign(message))
    ],
    "in hexadecimal": lambda key, message: key.sign(message).hex().encode(),
    "in base64": lambda key, message: base64.b64encode(key.sign(message)),
    "of another message": lambda key, message: key.sign(message + b" "),
    "of the payload": lambda key, message: key.sign(message.partition(b".")[2]),
    "of nothing": lambda key, _message: key.sign(b""),
    "of an HMAC with the kid": lambda key, message: hmac.digest(
        str(key.kid).encode(), message, "sha256"
    ),
}


@ALL
@pytest.mark.parametrize("kind", FORGED)
def test_a_signature_that_is_not_exactly_right_is_refused(name: str, kind: str) -> None:
    key = KEYS[name].session
    assert refusal(token(header(name), lambda message: FORGED[kind](key, message))) == (
        "token_invalid"
    )


# The kinds of Project Wycheproof's vectors for ECDSA, Ed25519 and RSA, rebuilt with our own keys.


def both(message: bytes) -> tuple[int, int]:
    """Return r and s of a right ES256 signature."""
    der = PRIVATE["ES256"].sign(message, ec.ECDSA(hashes.SHA256()))
    return decode_dss_signature(der)


def raw(r: int, s: int, size: int = 32) -> bytes:
    limit: int = 256**size
    return (r % limit).to_bytes(size, "big") + (s % limit).to_bytes(size, "big")


def der(message: bytes) -> bytes:
    return encode_dss_signature(*both(message))


ECDSA: dict[str, Sign] = {
    "DER": der,
    "DER in 64 bytes": lambda message: der(message)[:64],
    "r = 0": lambda message: raw(0, both(message)[1]),
    "s = 0": lambda message: raw(both(message)[0], 0),
    "r = s = 0": lambda _message: raw(0, 0),
    "r = 1": lambda message: raw(1, both(message)[1]),
    "s = 1": lambda message: raw(both(message)[0], 1),
    "r = s = 1": lambda _message: raw(1, 1),
    "r = n": lambda message: raw(P256, both(message)[1]),
    "s = n": lambda message: raw(both(message)[0], P256),
    "r = s = n": lambda _message: raw(P256, P256),
    "r = n - 1": lambda message: raw(P256 - 1, both(message)[1]),
    "r + n": lambda message: raw(both(message)[0] + P256, both(message)[1]),
    "s + n": lambda message: raw(both(message)[0], both(message)[1] + P256),
    "r - n": lambda message: raw(both(message)[0] - P256, both(message)[1]),
    "r and s exchanged": lambda message: raw(*reversed(both(message))),
    "in 33 bytes each": lambda message: raw(*both(message), size=33),
    "in 48 bytes each": lambda message: raw(*both(message), size=48),
    "r + n in 33 bytes each": lambda message: raw(
        both(message)[0] + P256, both(message)[1], size=33
    ),
    "of SHA-384": lambda message: raw(
        *decode_dss_signature(PRIVATE["ES256"].sign(message, ec.ECDSA(hashes.SHA384())))
    ),
    "of P-384": lambda message: raw(
        *decode_dss_signature(
            ec.generate_private_key(ec.SECP384R1()).sign(message, ec.ECDSA(hashes.SHA256()))
        ),
        size=48,
    ),
    "of secp256k1": lambda message: raw(
        *decode_dss_signature(
            ec.generate_private_key(ec.SECP256K1()).sign(message, ec.ECDSA(hashes.SHA256()))
        )
    ),
}


def halves(message: bytes) -> tuple[bytes, int]:
    """Return R and S of a right EdDSA signature."""
    signature = PRIVATE["EdDSA"].sign(message)
    return signature[:32], int.from_bytes(signature[32:], "little")


def joined(r: bytes, s: int) -> bytes:
    return r + s.to_bytes(32, "little")


NEUTRAL = (1).to_bytes(32, "little")
EDDSA: dict[str, Sign] = {
    "all zeros": lambda _message: bytes(64),
    "R = 0": lambda message: joined(bytes(32), halves(message)[1]),
    "R neutral, S = 0": lambda _message: joined(NEUTRAL, 0),
    "R neutral": lambda message: joined(NEUTRAL, halves(message)[1]),
    "S = 0": lambda message: joined(halves(message)[0], 0),
    "S = 1": lambda message: joined(halves(message)[0], 1),
    "S + L": lambda message: joined(halves(message)[0], halves(message)[1] + ED25519),
    "S = L": lambda message: joined(halves(message)[0], ED25519),
    "R not on the curve": lambda message: joined(b"\x02" + bytes(31), halves(message)[1]),
    "R not reduced": lambda message: joined(b"\xff" * 32, halves(message)[1]),
    "the sign of R flipped": lambda message: flipped(PRIVATE["EdDSA"].sign(message), 31),
    "of Ed448": lambda message: ed448.Ed448PrivateKey.generate().sign(message),
    "of Ed25519ph": lambda message: PRIVATE["EdDSA"].sign(hmac.digest(b"", message, "sha512")),
    "of another key": lambda message: ed25519.Ed25519PrivateKey.generate().sign(message),
    "in hexadecimal": lambda message: PRIVATE["EdDSA"].sign(message).hex().encode(),
}


def pkcs1(message: bytes, digest: Any) -> bytes:
    found: bytes = PRIVATE["RS256"].sign(message, padding.PKCS1v15(), digest)
    return found


def power(block: bytes) -> bytes:
    """Apply the private key to a block of our own making."""
    numbers = PRIVATE["RS256"].private_numbers()
    modulus = numbers.public_numbers.n
    signed: int = pow(int.from_bytes(block, "big"), numbers.d, modulus)
    return signed.to_bytes(SIZES["RS256"], "big")


def padded(message: bytes, info: bytes, *, tail: bytes = b"", kind: bytes = b"\x01") -> bytes:
    digest = hashes.Hash(hashes.SHA256())
    digest.update(message)
    rest = b"\0" + info + digest.finalize() + tail
    return power(b"\0" + kind + b"\xff" * (SIZES["RS256"] - 2 - len(rest)) + rest)


SHA256_INFO = bytes.fromhex("3031300d060960864801650304020105000420")
NO_NULL = bytes.fromhex("302f300b0609608648016503040201 0420".replace(" ", ""))
RSA: dict[str, Sign] = {
    "PSS": lambda message: PRIVATE["RS256"].sign(
        message, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256()
    ),
    "SHA-1": lambda message: pkcs1(message, hashes.SHA1()),  # noqa: S303
    "SHA-384": lambda message: pkcs1(message, hashes.SHA384()),
    "SHA-512": lambda message: pkcs1(message, hashes.SHA512()),
    "no padding": lambda message: power(message[:32]),
    "the digest without its name": lambda message: padded(message, b""),
    "the digest's name without NULL": lambda message: padded(message, NO_NULL),
    "something after the digest": lambda message: padded(message, SHA256_INFO, tail=b"\0" * 8),
    "padding of encryption": lambda message: padded(message, SHA256_INFO, kind=b"\x02"),
    "the signature and the modulus": lambda message: (
        int.from_bytes(pkcs1(message, hashes.SHA256()), "big")
        + PRIVATE["RS256"].public_key().public_numbers().n
    ).to_bytes(SIZES["RS256"] + 1, "big"),
    "1": lambda _message: (1).to_bytes(SIZES["RS256"], "big"),
    "the modulus less 1": lambda _message: (
        PRIVATE["RS256"].public_key().public_numbers().n - 1
    ).to_bytes(SIZES["RS256"], "big"),
    "of another key": lambda message: rsa.generate_private_key(65537, 3072).sign(
        message, padding.PKCS1v15(), hashes.SHA256()
    ),
}


@pytest.mark.parametrize("kind", ECDSA)
def test_an_es256_signature_is_64_raw_bytes_in_range(kind: str) -> None:
    assert refusal(token(header("ES256"), ECDSA[kind])) == "token_invalid"


@pytest.mark.parametrize("kind", EDDSA)
def test_an_eddsa_signature_is_that_of_rfc_8032(kind: str) -> None:
    assert refusal(token(header("EdDSA"), EDDSA[kind])) == "token_invalid"


@pytest.mark.parametrize("kind", RSA)
def test_an_rs256_signature_is_that_of_pkcs_1_v1_5(kind: str) -> None:
    assert refusal(token(header("RS256"), RSA[kind])) == "token_invalid"


def test_the_tables_begin_with_what_is_right() -> None:
    assert EVERY.verify(token(header("ES256"), lambda message: raw(*both(message))))
    assert EVERY.verify(token(header("EdDSA"), lambda message: joined(*halves(message))))
    assert EVERY.verify(token(header("RS256"), lambda message: padded(message, SHA256_INFO)))


@ALL
def test_no_single_character_of_the_signature_or_header_can_be_changed(name: str) -> None:
    good = token(header(name), KEYS[name].session.sign)
    dot, last = good.index("."), good.rindex(".")
    accepted = []
    for at in (*range(dot + 1), *range(last, len(good))):
        for character in "AQgw_-.":
            text = good[:at] + character + good[at + 1 :]
            try:
                EVERY.verify(text)
            except errors.Unauthenticated:
                continue
            accepted.append(text)
    assert set(accepted) <= {good}
