"""The strength of HMAC secrets."""

import math
import zlib
from collections import Counter

import jwt

MINIMUM_BYTES = 32
_MINIMUM_BITS = 80  # random hex of 16 bytes measures 90 and more
_MINIMUM_FOLDED_BYTES = 16
_PLACEHOLDERS = (
    "change-me", "changeme", "change_me", "replace-me", "replaceme", "replace_me", "replace-this",
    "example", "placeholder", "secret", "password", "passw0rd", "your-", "your_", "default",
    "insecure", "abcdefgh", "123456789", "qwerty", "letmein", "xxxxxx", "deadbeef", "latchkey",
    "of-the-tests", "$(", "openssl", "correct horse", "correcthorse", "quickbrown", "lorem",
    "31415926",
)  # fmt: skip

HOW_TO = "generate one with: python3 -c 'import secrets; print(secrets.token_hex(64))'"


def fault(secret: str, *, production: bool) -> str | None:
    """Return the error of an HMAC secret, or None. Production rejects guessable secrets."""
    try:
        key = secret.encode("utf-8")
    except UnicodeEncodeError:
        return f"must be UTF-8 text; {HOW_TO}"
    if len(key) < MINIMUM_BYTES:
        return f"must have at least {MINIMUM_BYTES} bytes (RFC 7518 section 3.2); {HOW_TO}"
    if "-----BEGIN " in secret:
        return f"is a public or private key, not a secret; {HOW_TO}"
    try:
        jwt.get_algorithm_by_name("HS256").prepare_key(secret)
    except jwt.InvalidKeyError:
        return f"is a public or private key, not a secret; {HOW_TO}"
    if production:
        lower = secret.lower()
        if any(word in lower for word in _PLACEHOLDERS):
            return f"looks like an example or a placeholder; {HOW_TO}"
        if _is_guessable(secret):
            return f"is guessable (too little entropy); {HOW_TO}"
    return None


def _is_guessable(secret: str) -> bool:
    """Return whether a text has low entropy per character or compresses to a few bytes."""
    secret = secret[: (secret + secret).find(secret, 1)]
    length = len(secret)
    per_letter = -sum(n / length * math.log2(n / length) for n in Counter(secret).values())
    folded = len(zlib.compress(secret.encode(), 9, -15)) - 2
    return per_letter * length < _MINIMUM_BITS or folded < _MINIMUM_FOLDED_BYTES
