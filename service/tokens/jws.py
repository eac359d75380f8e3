"""The JWS compact form (RFC 7515), written, and parsed strictly: one encoding for each token."""

import re
from collections.abc import Mapping
from typing import Any

import orjson

from service import errors
from service.keys import Key
from service.parsing import base64url, strict_json

COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", re.ASCII)


def header(key: Key, typ: str = "JWT") -> bytes:
    """Return the encoded header for a key. A shared secret has no `kid`."""
    named = {} if key.kid is None else {"kid": key.kid}
    return base64url.encode(orjson.dumps({"alg": key.algorithm, **named, "typ": typ}))


def compact(key: Key, encoded_header: bytes, claims: Mapping[str, object]) -> str:
    """Return a signed token (RFC 7515 section 7.1)."""
    signed = encoded_header + b"." + base64url.encode(orjson.dumps(claims))
    return (signed + b"." + base64url.encode(key.sign(signed))).decode()


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
