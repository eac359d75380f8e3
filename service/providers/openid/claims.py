"""The claims that decide about a token. All others are not judged.

A null claim counts as absent. docs/sso.md has the reason for each check.
"""

import math
from collections.abc import Mapping
from typing import Any, TypeGuard

from service import users
from service.parsing.lenient_json import Unclear
from service.providers.openid.errors import LoginRejected

LEEWAY = 60
"""The maximum difference to a provider's clock in seconds."""
_SUBJECT_LIMIT = f"{users.MAX_SUBJECT} characters in the subject of an account"

Claims = Mapping[str, Any]


def require_issuer(claims: Claims, issuer: str) -> None:
    """Check that our provider issued the token. Raises LoginRejected."""
    if claims.get("iss") != issuer:
        raise LoginRejected("iss")


def require_audience(claims: Claims, client_id: str) -> frozenset[str]:
    """Check that the token is for this client. Return all its audiences. Raises LoginRejected."""
    audience = claims.get("aud")
    audiences = [audience] if isinstance(audience, str) else audience
    if not isinstance(audiences, list) or not all(isinstance(each, str) for each in audiences):
        raise LoginRejected("aud")
    if client_id not in audiences:
        raise LoginRejected("aud")
    return frozenset(audiences)


def require_current(claims: Claims, now: int, *, max_age: int, needs_end: bool) -> int:
    """Check the times of a token. Return when it was issued. Raises LoginRejected.

    `max_age` is how long ago the token may have been issued, in seconds. `needs_end`: `exp` must be
    there. `nbf` counts if it is a number, or unclear: `iat` and `exp` limit the time anyway.
    """
    end, issued_at = _time(claims, "exp"), _time(claims, "iat")
    if end is None and needs_end:
        raise LoginRejected("exp")
    if end is not None and end <= now - LEEWAY:
        raise LoginRejected("exp")
    if issued_at is None or not now - max_age <= issued_at <= now + LEEWAY:
        raise LoginRejected("iat")
    start = claims.get("nbf")
    if isinstance(start, Unclear) or (_is_time(start) and start > now + LEEWAY):
        raise LoginRejected("nbf")
    return int(issued_at)


def require_subject(claims: Claims) -> str:
    """Return a `sub` that can be linked. Raises LoginRejected."""
    subject = claims.get("sub")
    if not isinstance(subject, str):
        raise LoginRejected("sub")
    if len(subject) > users.MAX_SUBJECT:
        raise LoginRejected("sub", limit=_SUBJECT_LIMIT)
    try:
        return users.normalize_subject(subject)
    except ValueError:
        raise LoginRejected("sub") from None


def _time(claims: Claims, name: str) -> float | None:
    """Return a time in seconds since 1970, None if it is absent. Raises LoginRejected."""
    value = claims.get(name)
    if value is None:
        return None
    if not _is_time(value):
        raise LoginRejected(name)
    return value


def _is_time(value: Any) -> TypeGuard[float]:
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, int) and not isinstance(value, bool)
