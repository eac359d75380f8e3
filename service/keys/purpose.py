"""The purposes of keys. Each purpose has its own key, derived with its own label."""

from enum import Enum
from typing import Literal


class Purpose(Enum):
    """The purposes; the values are the labels of their keys (HKDF's `info`)."""

    SESSION = "latchkey session"
    """Tokens. Their key is the secret or the private JWK itself, without derivation."""
    FEED = "latchkey feed"
    ASSERTION = "latchkey assertion"
    SEALED = "latchkey sealed value"
    """Encrypted cookie values. Each use has its own key under this label."""


DocumentPurpose = Literal[Purpose.FEED, Purpose.ASSERTION]
"""The purposes of documents. Mypy rejects the purpose of sessions in their place."""

SigningPurpose = Literal[Purpose.SESSION, Purpose.FEED, Purpose.ASSERTION]

DOCUMENTS: tuple[DocumentPurpose, ...] = (Purpose.FEED, Purpose.ASSERTION)
SIGNING: tuple[SigningPurpose, ...] = (Purpose.SESSION, *DOCUMENTS)
