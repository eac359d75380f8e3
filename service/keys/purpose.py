"""What a key is for: each purpose has a key of its own, derived by a label of its own."""

from enum import Enum
from typing import Literal


class Purpose(Enum):
    """The purposes; the values are the labels of their keys (HKDF's `info`)."""

    SESSION = "latchkey session"
    """Tokens. Their key is the secret or the private JWK itself: nothing is derived."""
    FEED = "latchkey feed"
    ASSERTION = "latchkey assertion"
    SEALED = "latchkey sealed value"
    """Cookie values; each use of them has its own key under this label."""


DocumentPurpose = Literal[Purpose.FEED, Purpose.ASSERTION]
"""What is signed besides sessions. Mypy refuses the session's purpose in its place."""

SigningPurpose = Literal[Purpose.SESSION, Purpose.FEED, Purpose.ASSERTION]

DOCUMENTS: tuple[DocumentPurpose, ...] = (Purpose.FEED, Purpose.ASSERTION)
SIGNING: tuple[SigningPurpose, ...] = (Purpose.SESSION, *DOCUMENTS)
