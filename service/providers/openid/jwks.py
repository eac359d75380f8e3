"""A provider's public keys (RFC 7517)."""

import warnings
from typing import Any

from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import JWKRegistry, Key

from service.providers.openid import algorithms
from service.providers.openid.errors import ProviderError
from service.providers.openid.metadata import read_object

UNKNOWN = "key_unknown"
_PUBLIC = ("kty", "crv", "x", "y", "n", "e")


class KeySet:
    """The keys of a JWK Set that can verify signatures. Ignores other keys."""

    def __init__(self, document: bytes) -> None:
        """Parse a JWK Set. Raises ProviderError."""
        keys = read_object(document, "jwks").get("keys")
        if not isinstance(keys, list):
            raise ProviderError("jwks")
        self._keys = [key for key in keys if isinstance(key, dict) and _can_verify(key)]

    def find(self, kid: str | None, algorithm: str) -> Key:
        """Return the key with this `kid` for an algorithm.

        Without a `kid` there must be only one key (OpenID Connect Core section 10.1). Raises
        ProviderError: UNKNOWN, or `key_ambiguous`.
        """
        fitting = [
            key
            for key in self._keys
            if algorithms.fits(algorithm, key.get("kty"), key.get("crv"))
            and key.get("alg", algorithm) == algorithm
            and kid in (None, key.get("kid"))
        ]
        if not fitting:
            raise ProviderError(UNKNOWN)
        if len(fitting) > 1:
            raise ProviderError("key_ambiguous")
        return _import(fitting[0])


def _can_verify(members: dict[str, Any]) -> bool:
    operations = members.get("key_ops", ["verify"])
    return members.get("use", "sig") == "sig" and (
        isinstance(operations, list) and "verify" in operations
    )


def _import(members: dict[str, Any]) -> Key:
    """Parse the public part with the library. Rejects weak keys."""
    public = {name: members[name] for name in _PUBLIC if name in members}
    if not all(isinstance(value, str) for value in public.values()):
        raise ProviderError("key_damaged")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", SecurityWarning)
            return JWKRegistry.import_key(public)
    except (JoseError, SecurityWarning, ValueError, TypeError):
        raise ProviderError("key_damaged") from None
