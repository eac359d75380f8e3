"""A strict parser of the JWS compact form (RFC 7515): one encoding for each token."""

import re
from typing import Any

from service import errors
from service.parsing import base64url, strict_json

COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", re.ASCII)


def decode(segment: bytes) -> bytes:
    """Decode a segment. Reject padding and non-canonical encodings (RFC 4648 section 3.5)."""
    try:
        return base64url.decode(segment)
    except ValueError:
        raise errors.TokenInvalid from None


def members(data: bytes) -> dict[str, Any]:
    """Parse the JSON object of a header or of claims. Raises TokenInvalid."""
    try:
        value = strict_json.loads(data)
    except ValueError:
        raise errors.TokenInvalid from None
    if not isinstance(value, dict):
        raise errors.TokenInvalid
    return value


def peek(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return header and claims without verification, for display. Raises TokenInvalid."""
    if not COMPACT.fullmatch(token):
        raise errors.TokenInvalid
    header, payload, _ = token.encode("ascii").split(b".")
    return members(decode(header)), members(decode(payload))
