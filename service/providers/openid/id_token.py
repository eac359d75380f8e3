"""The claims of an ID token (OpenID Connect Core 1.0 section 3.1.3.7)."""

import hmac
from dataclasses import dataclass, field

from authlib.oidc.core.util import create_half_hash

from service.providers.openid import claims as decisive
from service.providers.openid.claims import Claims
from service.providers.openid.errors import LoginRejected
from service.providers.openid.jwt import Header

TYPES = frozenset({"jwt"})
_MAX_AGE = 600
"""The maximum age of an ID token in seconds. Some providers (Entra) date it 5 minutes back."""
_ALSO_CALLED = {"Ed25519": "EdDSA"}
"""The names of algorithms that the library does not know (RFC 9864)."""


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


def check(claims: Claims, header: Header, expected: Expected) -> None:
    """Check the claims of a verified token. Raises LoginRejected with the name of a claim."""
    decisive.require_issuer(claims, expected.issuer)
    audiences = decisive.require_audience(claims, expected.client_id)
    _require_party(claims, audiences, expected.client_id)
    decisive.require_subject(claims)
    decisive.require_current(claims, expected.now, max_age=_MAX_AGE, needs_end=True)
    if claims.get("nonce") != expected.nonce:
        raise LoginRejected("nonce")
    _require_hash(claims, header, expected.access_token)


def _require_party(claims: Claims, audiences: frozenset[str], client_id: str) -> None:
    """Check that the token was issued to this client, not only about it."""
    party = claims.get("azp")
    if party is None and audiences == {client_id}:
        return
    if party != client_id:
        raise LoginRejected("azp")


def _require_hash(claims: Claims, header: Header, access_token: str | None) -> None:
    """Check that the access token belongs to the ID token, if the ID token has its hash."""
    told = claims.get("at_hash")
    if told is None or access_token is None:
        return
    algorithm = _ALSO_CALLED.get(header.algorithm, header.algorithm)
    expected: bytes = create_half_hash(access_token, algorithm)
    if not isinstance(told, str) or not hmac.compare_digest(expected, told.encode()):
        raise LoginRejected("at_hash")
