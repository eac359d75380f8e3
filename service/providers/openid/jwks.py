"""A provider's public keys (RFC 7517): the one that a signature names, or none."""

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
    """The keys of a JWK Set that can verify signatures; what is not understood is left out."""

    def __init__(self, document: bytes) -> None:
        """Read a JWK Set. Raises Unusable."""
        keys = read_object(document, "jwks").get("keys")
        if not isinstance(keys, list):
            raise ProviderError("jwks")
        self._keys = [key for key in keys if isinstance(key, dict) and _can_verify(key)]

    def find(self, kid: str | None, algorithm: str) -> Key:
        """Return the one key of that name for an algorithm.

        Without a name there must be but one (OpenID Connect Core section 10.1). Raises Unusable:
        UNKNOWN, or that there are several.
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
    """Let the library read the public part; a weak key is none."""
    public = {name: members[name] for name in _PUBLIC if name in members}
    if not all(isinstance(value, str) for value in public.values()):
        raise ProviderError("key_damaged")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", SecurityWarning)
            return JWKRegistry.import_key(public)
    except (JoseError, SecurityWarning, ValueError, TypeError):
        raise ProviderError("key_damaged") from None
