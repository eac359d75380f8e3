"""Keys for one purpose, and the root of the keys of all purposes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from service.keys.purpose import Purpose, SigningPurpose


@dataclass(frozen=True, slots=True)
class Key:
    """A key for one purpose and one algorithm (RFC 8725 section 3.1).

    `kid` is None for a shared secret, which has no public part.
    """

    kid: str | None
    algorithm: str
    sign: Callable[[bytes], bytes] = field(repr=False)
    verify: Callable[[bytes, bytes], bool] = field(repr=False)
    public: Mapping[str, str] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Root:
    """The keys of all purposes, from a secret of the settings or a private JWK of the file.

    `sealing` returns the key for a use of encrypted values. The state of the root (published,
    signing, verifying, retired) applies to all its keys.
    """

    session: Key
    feed: Key
    assertion: Key
    sealing: Callable[[str], bytes] = field(repr=False)

    def key(self, purpose: SigningPurpose) -> Key:
        """Return the key of a purpose."""
        if purpose is Purpose.FEED:
            return self.feed
        return self.assertion if purpose is Purpose.ASSERTION else self.session
