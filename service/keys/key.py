"""A key for one purpose, and the root that the keys of all purposes come from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from service.keys.purpose import Purpose, SigningPurpose


@dataclass(frozen=True, slots=True)
class Key:
    """A key for one purpose and the only algorithm that it is used with (RFC 8725 section 3.1).

    `kid` is None for a secret, which has no public part either.
    """

    kid: str | None
    algorithm: str
    sign: Callable[[bytes], bytes] = field(repr=False)
    verify: Callable[[bytes, bytes], bool] = field(repr=False)
    public: Mapping[str, str] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Root:
    """A secret of the settings, or a private JWK of the file: one key for each purpose.

    `sealing` returns the key for a use of sealed values. All of them come and go together: what
    happens to the root (published, signing, verifying, retired) happens to every purpose.
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
