"""The keys of a shared secret (HS256)."""

import functools

import jwt

from service.keys import derive
from service.keys.key import Key, Root
from service.keys.purpose import Purpose


def read(secret: str) -> Root:
    """Return the keys of a secret. The key of sessions is its UTF-8 text.

    The settings have already rejected PEM, DER, SSH and JWK keys.
    """
    material = secret.encode()
    return Root(
        session=_key(secret),
        feed=_key(derive.secret(material, Purpose.FEED)),
        assertion=_key(derive.secret(material, Purpose.ASSERTION)),
        sealing=functools.partial(derive.sealing, material),
    )


def _key(secret: str | bytes) -> Key:
    algorithm = jwt.get_algorithm_by_name("HS256")
    prepared = algorithm.prepare_key(secret)
    return Key(
        kid=None,
        algorithm="HS256",
        sign=lambda message: algorithm.sign(message, prepared),
        verify=lambda message, signature: algorithm.verify(message, prepared, signature),
    )
