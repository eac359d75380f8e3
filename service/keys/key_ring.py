"""The keys in use, by purpose: the signing key, verifying keys and public sets."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from service.keys.key import Key, Root
from service.keys.purpose import SIGNING, SigningPurpose

MAX_AGE = 600
"""The cache lifetime of a public set in seconds. Until then, caches may lack a new key."""


@dataclass(frozen=True, slots=True)
class KeySet:
    """The keys of one purpose. `jwks` is their serialized public set (RFC 7517)."""

    signing: Key
    verifying: tuple[Key, ...]
    jwks: bytes = field(repr=False)
    etag: str = field(repr=False)
    signer: str = field(repr=False)
    """An ID of the signing key, also for a shared secret. It changes with the key."""

    def find(self, kid: str | None) -> tuple[Key, ...]:
        """Return the keys with a `kid`; for None, those without one."""
        return tuple(key for key in self.verifying if key.kid == kid)


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The roots in use: one signs, all verify. Each key is requested by its purpose."""

    _roots: tuple[Root, ...]
    _sets: Mapping[SigningPurpose, KeySet]

    def keys(self, purpose: SigningPurpose) -> KeySet:
        """Return the keys of a purpose."""
        return self._sets[purpose]

    def sealing(self, use: str) -> list[bytes]:
        """Return the keys for one use of encrypted values. The first encrypts, all decrypt."""
        return [root.sealing(use) for root in self._roots]


def of(signing: Root, *others: Root) -> KeyRing:
    """Return a ring with a signing root and others that only verify."""
    roots = (signing, *(root for root in others if root is not signing))
    return KeyRing(roots, {purpose: _set(roots, purpose) for purpose in SIGNING})


def _set(roots: tuple[Root, ...], purpose: SigningPurpose) -> KeySet:
    keys = tuple(root.key(purpose) for root in roots)
    public = [key.public for key in keys if key.public is not None]
    # Sorted, so that all replicas serve the same bytes with the same ETag.
    jwks = json.dumps({"keys": sorted(public, key=lambda jwk: jwk["kid"])}, indent=1).encode()
    etag = hashlib.sha256(jwks).hexdigest()[:32]
    signer = keys[0].kid or _name(keys[0])
    return KeySet(signing=keys[0], verifying=keys, jwks=jwks, etag=etag, signer=signer)


def _name(secret: Key) -> str:
    """Return an ID of a secret that does not reveal it: an HMAC of a constant.

    It is never the signature of a JWT, because signed JWT data contains a dot.
    """
    return hashlib.sha256(secret.sign(b"name of this key")).hexdigest()
