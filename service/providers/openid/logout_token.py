"""The claims of a logout token (OpenID Connect Back-Channel Logout 1.0 section 2.6)."""

from dataclasses import dataclass
from typing import Any

from service.providers.openid import claims as decisive
from service.providers.openid.claims import LEEWAY, Claims
from service.providers.openid.errors import LoginRejected

TYPES = frozenset({"jwt", "logout+jwt"})
_MAX_AGE = 300
REMEMBERED = _MAX_AGE + 2 * LEEWAY
"""The maximum validity of a logout token in seconds. Its `jti` is stored for this time."""
_EVENT = "http://schemas.openid.net/event/backchannel-logout"
_MAX_ID = 255
ID_LIMIT = f"{_MAX_ID} characters"


@dataclass(frozen=True, slots=True)
class Logout:
    """The ended session at the provider (`sid`) or, without it, all sessions of a subject."""

    issued_at: int
    jti: str
    sid: str | None
    subject: str | None


def check(claims: Claims, *, issuer: str, client_id: str, now: int) -> Logout:
    """Check the claims of a verified token. Raises LoginRejected with the name of a claim.

    `exp` is optional: providers from before 2023 omit it, and `iat` limits the lifetime anyway.
    """
    events = claims.get("events")
    if not isinstance(events, dict) or not isinstance(events.get(_EVENT), dict):
        raise LoginRejected("events")
    if claims.get("nonce") is not None:
        raise LoginRejected("nonce")
    decisive.require_issuer(claims, issuer)
    decisive.require_audience(claims, client_id)
    issued_at = decisive.require_current(claims, now, max_age=_MAX_AGE, needs_end=False)
    jti, sid = _id(claims, "jti"), _id(claims, "sid")
    if jti is None:
        raise LoginRejected("jti")
    subject = None if claims.get("sub") is None else decisive.require_subject(claims)
    if sid is None and subject is None:
        raise LoginRejected("sid")
    return Logout(issued_at, jti, sid, subject)


def is_id(value: Any) -> bool:
    """Return whether a value is a valid session or token ID: a string of limited length."""
    return isinstance(value, str) and 1 <= len(value) <= _MAX_ID and value.isprintable()


def _id(claims: Claims, name: str) -> str | None:
    """Return an ID, None if it is absent. Raises LoginRejected."""
    value = claims.get(name)
    if value is None or is_id(value):
        return value
    is_long = isinstance(value, str) and len(value) > _MAX_ID
    raise LoginRejected(name, limit=f"{ID_LIMIT} in {name}" if is_long else None)
