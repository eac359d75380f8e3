"""The claims of a logout token (OpenID Connect Back-Channel Logout 1.0 section 2.6)."""

from dataclasses import dataclass
from typing import Any

from authlib.oauth2.claims import JWTClaims
from joserfc.errors import ClaimError, JoseError

from service.providers.openid.errors import LoginRejected
from service.providers.openid.id_token import LEEWAY, require_subject

TYPES = frozenset({"jwt", "logout+jwt"})
_MAX_AGE = 300
REMEMBERED = _MAX_AGE + 2 * LEEWAY
"""The maximum validity of a logout token in seconds. Its `jti` is stored for this time."""
_EVENT = "http://schemas.openid.net/event/backchannel-logout"
_MAX_ID = 255


@dataclass(frozen=True, slots=True)
class Logout:
    """The ended session at the provider (`sid`) or, without it, all sessions of a subject."""

    issued_at: int
    jti: str
    sid: str | None
    subject: str | None


def check(claims: dict[str, Any], *, issuer: str, client_id: str, now: int) -> Logout:
    """Check the claims of a verified token. Raises LoginRejected with the name of a claim.

    `exp` is optional: providers from before 2023 omit it, and `iat` limits the lifetime anyway.
    """
    events = claims.get("events")
    if not isinstance(events, dict) or not isinstance(events.get(_EVENT), dict):
        raise LoginRejected("events")
    if "nonce" in claims:
        raise LoginRejected("nonce")
    options = {
        "iss": {"essential": True, "value": issuer},
        "aud": {"essential": True, "value": client_id},
        "iat": {"essential": True},
        "jti": {"essential": True},
    }
    try:
        JWTClaims(claims, {}, options).validate(now, LEEWAY)
    except ClaimError as error:
        raise LoginRejected(error.claim.partition(",")[0]) from None
    except (JoseError, ValueError, TypeError, OverflowError):
        raise LoginRejected("claims") from None
    if claims["iat"] < now - _MAX_AGE:
        raise LoginRejected("iat")
    jti, sid = claims["jti"], claims.get("sid")
    if not is_id(jti):
        raise LoginRejected("jti")
    if sid is not None and not is_id(sid):
        raise LoginRejected("sid")
    subject = claims.get("sub")
    if subject is not None:
        require_subject(subject)
    if sid is None and subject is None:
        raise LoginRejected("sid")
    return Logout(int(claims["iat"]), jti, sid, subject)


def is_id(value: object) -> bool:
    """Return whether a value is a valid session or token ID: a string of limited length."""
    return isinstance(value, str) and 1 <= len(value) <= _MAX_ID and value.isprintable()
