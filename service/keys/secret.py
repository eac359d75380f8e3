"""The shared secret: HS256 from a text."""

import jwt

from service.keys import derive
from service.keys.ring import Key


def read(secret: str) -> Key:
    """Return the HS256 key whose bytes are the UTF-8 text of `secret`.

    A text that is a PEM, DER, SSH or JWK key is no secret: the configuration has refused it.
    """
    algorithm = jwt.get_algorithm_by_name("HS256")
    prepared = algorithm.prepare_key(secret)
    return Key(
        kid=None,
        algorithm="HS256",
        sign=lambda message: algorithm.sign(message, prepared),
        verify=lambda message, signature: algorithm.verify(message, prepared, signature),
        derive=derive.of(secret.encode()),
    )
