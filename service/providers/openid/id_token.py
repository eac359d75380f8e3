"""The claims of an ID token (OpenID Connect Core 1.0 section 3.1.3.7)."""

from dataclasses import dataclass, field
from typing import Any

from authlib.oidc.core import CodeIDToken
from joserfc.errors import ClaimError, JoseError

from service.providers.openid.errors import LoginRejected
from service.providers.openid.jwt import Header

TYPES = frozenset({"jwt"})
LEEWAY = 60
"""The maximum difference to a provider's clock in seconds."""
_MAX_AGE = 600
"""The maximum age of an ID token in seconds. Some providers (Entra) date it 5 minutes back."""
_MAX_SUBJECT = 255
_TEXTS = ("iss", "sub", "nonce", "azp", "at_hash", "sid")


@dataclass(frozen=True, slots=True)
class Expected:
    """The expected claims of an ID token: issuer, client and `nonce`. `now` is the time.

    `access_token` is from the same response, for `at_hash`.
    """

    issuer: str
    client_id: str
    nonce: str = field(repr=False)
    access_token: str | None = field(repr=False)
    now: int


def check(claims: dict[str, Any], header: Header, expected: Expected) -> None:
    """Check the claims of a verified token. Raises LoginRejected with the name of a claim."""
    for name in _TEXTS:
        if not isinstance(claims.get(name, ""), str):
            raise LoginRejected(name)
    essential = {"essential": True}
    token = CodeIDToken(
        claims,
        {"alg": header.algorithm},
        options={
            "iss": {**essential, "value": expected.issuer},
            "aud": {**essential, "value": expected.client_id},
            "sub": essential,
            "exp": essential,
            "iat": essential,
            "nonce": {**essential, "value": expected.nonce},
        },
        params={
            "nonce": expected.nonce,
            "client_id": expected.client_id,
            "access_token": expected.access_token,
        },
    )
    try:
        token.validate(expected.now, LEEWAY)
    except ClaimError as error:
        raise LoginRejected(error.claim.partition(",")[0]) from None
    except (JoseError, ValueError, TypeError, OverflowError):
        raise LoginRejected("claims") from None
    if claims.get("azp", expected.client_id) != expected.client_id:
        raise LoginRejected("azp")  # the library ignores an empty one
    if claims["iat"] < expected.now - _MAX_AGE:
        raise LoginRejected("iat")
    require_subject(claims["sub"])


def require_subject(subject: object) -> str:
    """Return a valid `sub`. Raises LoginRejected."""
    if not isinstance(subject, str) or not 1 <= len(subject) <= _MAX_SUBJECT:
        raise LoginRejected("sub")
    if not subject.isprintable():
        raise LoginRejected("sub")
    return subject
