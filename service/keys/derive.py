"""Sub-keys for other purposes than signing (HKDF, RFC 5869): no key is used for two things."""

from collections.abc import Callable

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

Derive = Callable[[bytes], bytes]

_BYTES = 32


def of(material: bytes) -> Derive:
    """Return what makes a sub-key of 32 bytes for a purpose; `material` is a secret of our own."""
    return lambda purpose: HKDF(SHA256(), _BYTES, salt=None, info=purpose).derive(material)
