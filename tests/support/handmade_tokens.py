"""Tokens made by hand, of any header and claims, and what verifies them."""

import base64
import hmac
import json
import string
from pathlib import Path
from typing import Any

import pytest

from service import config, errors, keys
from service.tokens import issuer as tokens
from tests.support.environment import SECRET

NOW = 1_800_000_000
ISSUER = "http://localhost:8080"
AUDIENCE = "https://app.example.org"
ABSENT = ...
NO_FILE = Path("no.env")
HEADER = b'{"alg":"HS256","typ":"JWT"}'
USER: dict[str, Any] = {
    "id": 1,
    "username": "admin",
    "roles": [{"id": 1, "role": "manage_users"}, {"id": 2, "role": "manage_documents"}],
    "version": 3,
}
CLAIMS: dict[str, Any] = {
    **{name: USER[name] for name in ("id", "username", "roles")},
    "iss": ISSUER,
    "sub": "1",
    "iat": NOW,
    "exp": NOW + 60,
    "auth_time": NOW,
    "jti": "a-token-id",
    "sid": "a-session-id",
    "ver": 3,
    "amr": ["pwd"],
}
BASE64URL = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"


def verifier(now: float = NOW, **changes: str) -> tokens.TokenIssuer:
    """Make a Tokens whose clock stands still."""
    read = config.load({"ENVIRONMENT": "test", "JWT_SECRET_KEY": SECRET, **changes}, NO_FILE)
    return noted(tokens.TokenIssuer(read, keys.load(read), clock=lambda: now))


def noted(made: tokens.TokenIssuer) -> tokens.TokenIssuer:
    """Let tokens be issued as if a database had noted the horizon."""
    made.horizon = 2**62
    return made


def claims(**changes: Any) -> bytes:
    """Write the payload of a good token, with some claims changed or ABSENT."""
    return dump({**CLAIMS, **changes})


def header(**changes: Any) -> bytes:
    """Write the header of a good token, with some parameters changed or ABSENT."""
    return dump({**json.loads(HEADER), **changes})


def dump(members: dict[str, Any]) -> bytes:
    return json.dumps({n: value for n, value in members.items() if value is not ABSENT}).encode()


def segment(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def sign(signed: str, secret: str = SECRET, digest: str = "sha256") -> str:
    """Append the right signature to whatever stands there."""
    return f"{signed}.{segment(hmac.digest(secret.encode(), signed.encode(), digest))}"


def token(head: bytes = HEADER, payload: bytes = claims(), **signing: str) -> str:
    """Build a token by hand, rightly signed."""
    return sign(f"{segment(head)}.{segment(payload)}", **signing)


def refusal(text: str, by: tokens.TokenIssuer | None = None) -> str:
    """Return the code that a token is refused with."""
    with pytest.raises(errors.Unauthenticated) as refused:
        (by or VERIFIER).verify(text)
    return refused.value.code


def label(value: object) -> str:
    """Name a value of a table in the list of tests."""
    return "absent" if value is ABSENT else repr(value)[:40]


VERIFIER = verifier()
GOOD = token()
HEAD, PAYLOAD, SIGNATURE = GOOD.split(".")
OTHER_SECRET = SECRET.swapcase()
