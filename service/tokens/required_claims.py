"""Check that the required claims exist and have the right types (RFC 7519 section 4)."""

import re
from collections.abc import Mapping
from typing import Any, TypeGuard

from service.tokens.claims import Claims

VERSIONS = 2**62
"""The upper limit of `ver`. In the feed, it revokes all tokens of a user."""

_END_OF_TIME = 253402300799  # 9999-12-31T23:59:59Z
_OPAQUE = re.compile(r"[A-Za-z0-9_-]{8,64}", re.ASCII)


def are_claims(claims: Mapping[str, Any], *, ahead: int) -> TypeGuard[Claims]:
    """Return whether all required claims exist and have the right types.

    `auth_time` must be at most `ahead` seconds after `iat`: a later one would survive a sign-out.
    """
    get = claims.get
    roles = get("roles")
    return (
        _is_count(get("id"))
        and get("sub") == str(claims["id"])
        and isinstance(get("username"), str)
        and isinstance(roles, list)
        and all(_is_role(role) for role in roles)
        and _is_count(get("ver"))
        and claims["ver"] < VERSIONS
        and _is_date(get("iat"))
        and _is_date(get("exp"))
        and _is_date(get("nbf", 0))
        and _is_date(get("auth_time", 0))
        and get("auth_time", 0) <= claims["iat"] + ahead
        and _is_opaque(get("sid"))
        and _is_opaque(get("jti"))
        and _is_methods(get("amr"))
    )


def _is_count(value: object) -> bool:
    return type(value) is int and 0 < value < 2**63


def _is_date(value: object) -> bool:
    return type(value) is int and 0 <= value <= _END_OF_TIME


def _is_opaque(value: object) -> bool:
    return isinstance(value, str) and _OPAQUE.fullmatch(value) is not None


def _is_methods(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(word, str) for word in value)


def _is_role(value: object) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == {"id", "role"}
        and _is_count(value["id"])
        and isinstance(value["role"], str)
    )
