"""Signing keys: each with its one algorithm, prepared once."""

from collections.abc import Callable
from dataclasses import dataclass, field

import jwt

from service.config import Config


@dataclass(frozen=True, slots=True)
class Key:
    """A key and the only algorithm that it is used with (RFC 8725 section 3.1)."""

    algorithm: str
    sign: Callable[[bytes], bytes] = field(repr=False)
    verify: Callable[[bytes, bytes], bool] = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The newest key signs, all verify."""

    signing: Key
    verifying: tuple[Key, ...]


def from_secret(secret: str) -> Key:
    """Return the HS256 key whose bytes are the UTF-8 text of `secret`.

    A text that is a PEM, DER, SSH or JWK key is no secret: the configuration has refused it.
    """
    algorithm = jwt.get_algorithm_by_name("HS256")
    prepared = algorithm.prepare_key(secret)
    return Key(
        algorithm="HS256",
        sign=lambda message: algorithm.sign(message, prepared),
        verify=lambda message, signature: algorithm.verify(message, prepared, signature),
    )


def load(config: Config) -> KeyRing:
    """Return the keys of a configuration."""
    signing = from_secret(config.jwt_secret_key)
    previous = config.jwt_secret_key_previous
    older = () if previous is None else (from_secret(previous),)
    return KeyRing(signing=signing, verifying=(signing, *older))
