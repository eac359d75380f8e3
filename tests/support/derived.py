"""The HS256 keys of other purposes, computed from the documentation and the standard library."""

import hashlib
import hmac


def derived(secret: str, label: str) -> bytes:
    """Return 32 bytes of HKDF-SHA-256 without a salt (RFC 5869 section 2)."""
    extracted = hmac.digest(bytes(hashlib.sha256().digest_size), secret.encode(), "sha256")
    return hmac.digest(extracted, label.encode() + b"\x01", "sha256")


def feed_key(secret: str) -> bytes:
    """Return the key of the revocation feed."""
    return derived(secret, "latchkey feed")


def assertion_key(secret: str) -> bytes:
    """Return the key of assertions."""
    return derived(secret, "latchkey assertion")
