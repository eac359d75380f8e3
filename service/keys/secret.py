"""The shared secret: HS256 from a text."""

import jwt

from service.keys.ring import Key


def read(secret: str) -> Key:
    """Return the HS256 key whose bytes are the UTF-8 text of `secret`.

    Raises ValueError when the text is a PEM, DER, SSH or JWK key, which is not a secret.
    """
    algorithm = jwt.get_algorithm_by_name("HS256")
    try:
        prepared = algorithm.prepare_key(secret)
    except jwt.InvalidKeyError:
        raise ValueError("is a PEM, SSH or JWK key, and not a secret of HS256") from None
    return Key(
        kid=None,
        algorithm="HS256",
        sign=lambda message: algorithm.sign(message, prepared),
        verify=lambda message, signature: algorithm.verify(message, prepared, signature),
    )
