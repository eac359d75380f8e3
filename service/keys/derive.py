"""Derive the keys of other purposes than sessions (HKDF-SHA-256, RFC 5869)."""

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from service.keys.purpose import DocumentPurpose, Purpose

_BYTES = 32
_SCALAR_BYTES = 48
"""FIPS 186-5 A.2.1 requires 64 bits more than the order: at least 40 bytes for P-256."""
_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def secret(material: bytes, purpose: DocumentPurpose) -> bytes:
    """Return the HS256 key of a purpose: 32 bytes. Services with the secret can derive it too."""
    return _hkdf(material, purpose.value)


def ed25519_key(material: bytes, purpose: DocumentPurpose) -> ed25519.Ed25519PrivateKey:
    """Return the Ed25519 key of a purpose, with the derived bytes as its seed."""
    return ed25519.Ed25519PrivateKey.from_private_bytes(_hkdf(material, purpose.value))


def p256_key(material: bytes, purpose: DocumentPurpose) -> ec.EllipticCurvePrivateKey:
    """Return the P-256 key of a purpose, with a scalar by FIPS 186-5 A.2.1."""
    drawn = int.from_bytes(_hkdf(material, purpose.value, _SCALAR_BYTES), "big")
    return ec.derive_private_key(drawn % (_P256_ORDER - 1) + 1, ec.SECP256R1())


def sealing(material: bytes, use: str) -> bytes:
    """Return the key for one use of encrypted values."""
    return _hkdf(material, f"{Purpose.SEALED.value}: {use}")


def _hkdf(material: bytes, label: str, length: int = _BYTES) -> bytes:
    return HKDF(SHA256(), length, salt=None, info=label.encode()).derive(material)
