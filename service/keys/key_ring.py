"""The keys in use, by purpose: which one signs, which ones verify, what is published."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from service.keys.key import Key, Root
from service.keys.purpose import SIGNING, SigningPurpose

MAX_AGE = 600
"""Seconds for which others may keep the public set: for so long a new key is not known to all."""


@dataclass(frozen=True, slots=True)
class KeySet:
    """The keys of one purpose. `jwks` is their public set (RFC 7517) as it is served."""

    signing: Key
    verifying: tuple[Key, ...]
    jwks: bytes = field(repr=False)
    etag: str = field(repr=False)
    signer: str = field(repr=False)
    """A name for the key that signs, also for a secret: it changes when that key does."""

    def find(self, kid: str | None) -> tuple[Key, ...]:
        """Return the keys of that name; those without a name for None."""
        return tuple(key for key in self.verifying if key.kid == kid)


@dataclass(frozen=True, slots=True)
class KeyRing:
    """One root signs, all verify. Nobody gets a key without naming what it is for."""

    _roots: tuple[Root, ...]
    _sets: Mapping[SigningPurpose, KeySet]

    def keys(self, purpose: SigningPurpose) -> KeySet:
        """Return the keys of a purpose."""
        return self._sets[purpose]

    def sealing(self, use: str) -> list[bytes]:
        """Return the keys for one use of sealed values; the first one seals, all open."""
        return [root.sealing(use) for root in self._roots]


def of(signing: Root, *others: Root) -> KeyRing:
    """Return the ring of a root that signs and of others that only verify."""
    roots = (signing, *(root for root in others if root is not signing))
    return KeyRing(roots, {purpose: _set(roots, purpose) for purpose in SIGNING})


def _set(roots: tuple[Root, ...], purpose: SigningPurpose) -> KeySet:
    keys = tuple(root.key(purpose) for root in roots)
    public = [key.public for key in keys if key.public is not None]
    # Sorted, so that every replica serves the same bytes under the same ETag.
    jwks = json.dumps({"keys": sorted(public, key=lambda jwk: jwk["kid"])}, indent=1).encode()
    etag = hashlib.sha256(jwks).hexdigest()[:32]
    signer = keys[0].kid or _name(keys[0])
    return KeySet(signing=keys[0], verifying=keys, jwks=jwks, etag=etag, signer=signer)


def _name(secret: Key) -> str:
    """Return a name for a secret that tells nothing about it: an HMAC of a constant.

    What a JWT signs has a dot in it, so this is never the signature of one.
    """
    return hashlib.sha256(secret.sign(b"name of this key")).hexdigest()
