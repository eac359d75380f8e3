"""base64url without padding (RFC 4648 section 5), as JOSE uses it (RFC 7515 section 2)."""

import base64


def encode(data: bytes) -> bytes:
    """Return bytes as base64url."""
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def decode(text: bytes) -> bytes:
    """Return the bytes. Raises ValueError for padding and for any but the one spelling."""
    data = base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))
    if encode(data) != text:
        raise ValueError("not base64url")
    return data
