"""The form in which texts are compared by those who search: letter case does not count."""

import unicodedata


def casefold(text: str) -> str:
    """Return a text as it is searched: compatibility forms (NFKC) made one, and no capitals."""
    return unicodedata.normalize("NFKC", text).casefold()
