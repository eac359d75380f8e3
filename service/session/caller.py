"""The caller of a request as JSON."""

from typing import Any

from service.parsing import dates
from service.tokens.claims import Claims

_METHODS = {"pwd": "password", "pop": "passkey"}
"""The names of methods whose `amr` (RFC 8176) differs."""


def method(claims: Claims) -> str:
    """Return the name of the sign-in method."""
    first = claims["amr"][0]
    return _METHODS.get(first, first)


def caller(claims: Claims) -> dict[str, Any]:
    """Return the body of `/auth/me`."""
    return {
        "id": claims["id"],
        "username": claims["username"],
        "roles": claims["roles"],
        "expires_at": dates.rfc3339(claims["exp"]),
        "method": method(claims),
    }
