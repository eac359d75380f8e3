"""The keys in use: each with its one algorithm, and the ring of those that count now."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from service.keys.derive import Derive

MAX_AGE = 600
"""Seconds for which others may keep the public set: for so long a new key is not known to all."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key and the only algorithm that it is used with (RFC 8725 section 3.1).

    `kid` is None for a secret, which has no public part either. `derive` makes sub-keys.
    """

    kid: str | None
    algorithm: str
    sign: Callable[[bytes], bytes] = field(repr=False)
    verify: Callable[[bytes, bytes], bool] = field(repr=False)
    derive: Derive = field(repr=False)
    public: Mapping[str, str] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class KeyRing:
    """One key signs, all verify. `jwks` is the public set (RFC 7517) as it is served."""

    signing: Key
    verifying: tuple[Key, ...]
    jwks: bytes = field(repr=False)
    etag: str = field(repr=False)

    def find(self, kid: str | None) -> tuple[Key, ...]:
        """Return the keys of that name; those without a name for None."""
        return tuple(key for key in self.verifying if key.kid == kid)


def of(signing: Key, *others: Key) -> KeyRing:
    """Return the ring of a key that signs and of others that only verify."""
    keys = (signing, *(key for key in others if key is not signing))
    public = [key.public for key in keys if key.public is not None]
    # Sorted, so that every replica serves the same bytes under the same ETag.
    jwks = json.dumps({"keys": sorted(public, key=lambda jwk: jwk["kid"])}, indent=1).encode()
    etag = hashlib.sha256(jwks).hexdigest()[:32]
    return KeyRing(signing=signing, verifying=keys, jwks=jwks, etag=etag)
