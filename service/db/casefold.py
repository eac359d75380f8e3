"""Case folding for case-insensitive search."""

import unicodedata


def casefold(text: str) -> str:
    """Return a text in Unicode normal form NFKC, case-folded."""
    return unicodedata.normalize("NFKC", text).casefold()
