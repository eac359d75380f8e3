"""A provider's public keys (RFC 7517)."""

import warnings
from functools import cached_property
from typing import Any

from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import ECKey, JWKRegistry, Key, OKPKey, RSAKey

from service.providers.openid import algorithms
from service.providers.openid.errors import DocumentError, ProviderError
from service.providers.openid.metadata import read_object

UNKNOWN = "key_unknown"
DAMAGED = "key_damaged"
AMBIGUOUS = "key_ambiguous"
_PUBLIC = {"RSA": ("kty", "n", "e"), "EC": ("kty", "crv", "x", "y"), "OKP": ("kty", "crv", "x")}
"""The members of a public key by its kind (RFC 7518 section 6, RFC 8037)."""


class KeySet:
    """The keys of a JWK Set that can verify signatures. Ignores all other entries."""

    def __init__(self, document: bytes) -> None:
        """Parse a JWK Set. Raises DocumentError."""
        keys = read_object(document, "jwks").get("keys")
        if not isinstance(keys, list):
            raise DocumentError("jwks")
        self._entries = [
            _Entry(members)
            for members in keys
            if isinstance(members, dict) and _can_verify(members)
        ]

    def find(self, kid: str | None, algorithm: str) -> Key:
        """Return the usable key with this `kid` for an algorithm. Equal keys are one key.

        Without a `kid` there must be only one key (OpenID Connect Core section 10.1). Raises
        ProviderError: UNKNOWN; DocumentError: `key_damaged`, `key_ambiguous`.
        """
        fitting = [entry for entry in self._entries if entry.fits(kid, algorithm)]
        if not fitting:
            raise ProviderError(UNKNOWN)
        keys = (entry.key for entry in fitting)
        usable = {key.as_der(): key for key in keys if key is not None}
        if not usable:
            raise DocumentError(DAMAGED)
        if len(usable) > 1:
            raise DocumentError(AMBIGUOUS)
        return usable.popitem()[1]


class _Entry:
    """An entry of a JWK Set."""

    def __init__(self, members: dict[str, Any]) -> None:
        self._members = members

    def fits(self, kid: str | None, algorithm: str) -> bool:
        """Return whether the members allow to verify by this algorithm."""
        members = self._members
        return (
            algorithms.fits(algorithm, members.get("kty"), members.get("crv"))
            and members.get("alg") in (None, algorithm)
            and kid in (None, members.get("kid"))
        )

    @cached_property
    def key(self) -> RSAKey | ECKey | OKPKey | None:
        """The public key, None for a damaged or weak one."""
        return _import(self._members)


def _can_verify(members: dict[str, Any]) -> bool:
    """Return whether a key is for signatures. Without `use` and `key_ops` it is for anything."""
    operations = members.get("key_ops")
    return members.get("use") in (None, "sig") and (
        operations is None or (isinstance(operations, list) and "verify" in operations)
    )


def _import(members: dict[str, Any]) -> RSAKey | ECKey | OKPKey | None:
    """Parse the public part with the library. Return None for a damaged or weak key."""
    values = {name: members.get(name) for name in _PUBLIC[members["kty"]]}
    public: dict[str, str | list[str]] = {
        name: value for name, value in values.items() if isinstance(value, str)
    }
    if len(public) < len(values):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", SecurityWarning)
            key = JWKRegistry.import_key(public)
    except (JoseError, SecurityWarning, ValueError, TypeError):
        return None
    return key if isinstance(key, RSAKey | ECKey | OKPKey) else None
