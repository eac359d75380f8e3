"""Read and generate private JWKs (RFC 7517)."""

import base64
import functools
import hashlib
import json
from collections.abc import Mapping
from typing import Any

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from service.keys import derive
from service.keys.key import Key, Root
from service.keys.purpose import DocumentPurpose, Purpose
from service.parsing import base64url

Members = Mapping[str, Any]

ALGORITHMS = ("EdDSA", "ES256", "RS256")
_BY_TYPE = {"OKP": "EdDSA", "EC": "ES256", "RSA": "RS256"}
_CURVES = {"EdDSA": "Ed25519", "ES256": "P-256"}
_PUBLIC = {
    "EdDSA": ("crv", "kty", "x"),
    "ES256": ("crv", "kty", "x", "y"),
    "RS256": ("e", "kty", "n"),
}
_PRIVATE = ("d", "p", "q", "dp", "dq", "qi", "oth", "k")
_RSA_BITS = range(2048, 8193)
_RSA_EXPONENT = 65537


def generate(algorithm: str) -> dict[str, Any]:
    """Return a new private JWK without a `kid`."""
    made: Any
    if algorithm == "EdDSA":
        made = ed25519.Ed25519PrivateKey.generate()
    elif algorithm == "ES256":
        made = ec.generate_private_key(ec.SECP256R1())
    else:
        made = rsa.generate_private_key(_RSA_EXPONENT, 3072)
    members: dict[str, Any] = _library(algorithm).to_jwk(made, as_dict=True)
    members.pop("key_ops", None)
    return {**members, "alg": algorithm, "use": "sig"}


def algorithm_of(members: Members) -> str:
    """Return the algorithm of a JWK, determined by its type. Raises ValueError."""
    kind = members.get("kty")
    if kind == "oct":
        raise ValueError("is a shared secret (kty: oct): set it as JWT_SECRET_KEY instead")
    algorithm = _BY_TYPE.get(kind) if isinstance(kind, str) else None
    if algorithm is None:
        raise ValueError("must be of type OKP, EC or RSA (kty)")
    curve = _CURVES.get(algorithm)
    if members.get("crv") != curve:
        raise ValueError(
            f"must be on the curve {curve} (crv)" if curve else "must not have a curve (crv)"
        )
    if members.get("alg", algorithm) != algorithm:
        raise ValueError(f"must have the algorithm {algorithm}, as its type is {kind} (alg)")
    return algorithm


def read(members: Members, kid: str) -> Root:
    """Return the keys of a private JWK. `kid` names the key of sessions. Raises ValueError.

    The keys of documents are derived from it, so equal JWKs give equal keys. Their thumbprints are
    their key IDs.
    """
    algorithm = algorithm_of(members)
    _check_purpose(members)
    if "d" not in members:
        raise ValueError("has no private part (d)")
    _check_strength(members, algorithm)
    private = _parse(members, algorithm)
    material = _library(algorithm).to_jwk(private, as_dict=True)["d"].encode()
    return Root(
        session=_key(private, algorithm, kid),
        feed=_derived(material, algorithm, Purpose.FEED),
        assertion=_derived(material, algorithm, Purpose.ASSERTION),
        sealing=functools.partial(derive.sealing, material),
    )


def _derived(material: bytes, algorithm: str, purpose: DocumentPurpose) -> Key:
    """Return the key of a document. For RS256 it is ES256, as RSA keys cannot be derived."""
    if algorithm == "EdDSA":
        return _key(derive.ed25519_key(material, purpose), algorithm)
    return _key(derive.p256_key(material, purpose), "ES256")


def _key(private: Any, algorithm: str, kid: str | None = None) -> Key:
    """Return the key of a parsed private key. The default `kid` is the thumbprint."""
    library, public = _library(algorithm), private.public_key()
    shown = library.to_jwk(public, as_dict=True)
    members = {name: shown[name] for name in _PUBLIC[algorithm]}
    name = thumbprint(members) if kid is None else kid
    return Key(
        kid=name,
        algorithm=algorithm,
        sign=lambda message: library.sign(message, private),
        verify=lambda message, signature: library.verify(message, public, signature),
        public={**members, "kid": name, "alg": algorithm, "use": "sig"},
    )


def thumbprint(members: Members) -> str:
    """Return the thumbprint of the public part (RFC 7638). Raises ValueError."""
    public = _public(members, algorithm_of(members))
    text = json.dumps(public, separators=(",", ":"), sort_keys=True)
    return base64url.encode(hashlib.sha256(text.encode()).digest()).decode()


def without_private(members: Members) -> dict[str, Any]:
    """Return a JWK without its private part."""
    return {name: value for name, value in members.items() if name not in _PRIVATE}


def _library(algorithm: str) -> Any:
    return jwt.get_algorithm_by_name(algorithm)


def _check_purpose(members: Members) -> None:
    if members.get("use", "sig") != "sig":
        raise ValueError("must be for signatures (use: sig)")
    operations = members.get("key_ops", ["sign"])
    if not isinstance(operations, list) or "sign" not in operations:
        raise ValueError("must allow signing (key_ops: sign)")


def _check_strength(members: Members, algorithm: str) -> None:
    if algorithm != "RS256":
        return
    bits, exponent = _number(members, "n").bit_length(), _number(members, "e")
    if bits not in _RSA_BITS:
        raise ValueError(
            f"has {bits} bits; RSA needs {_RSA_BITS.start} to {_RSA_BITS.stop - 1}"
            " (RFC 7518 section 3.3)"
        )
    if exponent < _RSA_EXPONENT or exponent.bit_length() > 32:
        raise ValueError(f"must have a safe public exponent, such as {_RSA_EXPONENT} (e)")


def _parse(members: Members, algorithm: str) -> Any:
    """Parse a JWK with the library, which also rejects a mismatched private part."""
    wanted = (*_PUBLIC[algorithm], *_PRIVATE)
    known = {name: members[name] for name in wanted if name in members}
    if not all(isinstance(value, str) for value in known.values()):
        raise ValueError("must have only strings as key parameters")
    try:
        return _library(algorithm).from_jwk(known)
    except (ValueError, TypeError, jwt.InvalidKeyError, UnsupportedAlgorithm):
        raise ValueError("is damaged, or its private and public parts do not match") from None


def _public(members: Members, algorithm: str) -> dict[str, str]:
    """Return the required public members in their canonical form."""
    library = _library(algorithm)
    public = _parse(without_private(members), algorithm)
    shown = library.to_jwk(public, as_dict=True)
    return {name: shown[name] for name in _PUBLIC[algorithm]}


def _number(members: Members, name: str) -> int:
    text = members.get(name)
    if not isinstance(text, str):
        raise ValueError(f"must have the member {name}")  # noqa: TRY004  # of the file, not of a program
    try:
        return int.from_bytes(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), "big")
    except ValueError:
        raise ValueError(f"must have {name} in base64url") from None
