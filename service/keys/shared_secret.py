"""The shared secret: HS256 from a text."""

import functools

import jwt

from service.keys import derive
from service.keys.key import Key, Root
from service.keys.purpose import Purpose


def read(secret: str) -> Root:
    """Return the keys of a secret; that of sessions is the UTF-8 text itself.

    A text that is a PEM, DER, SSH or JWK key is no secret: the configuration has refused it.
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
