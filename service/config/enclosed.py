"""What sticks to a value: line ends, a byte order mark, and quotes around it."""

_BYTE_ORDER_MARK = "\ufeff"
_QUOTES = {
    '"': '"',
    "'": "'",
    "`": "`",
    "\u201c": "\u201d",
    "\u2018": "\u2019",
    "\u201e": "\u201c",
    "\u00ab": "\u00bb",
}
QUOTED = "is enclosed in quotes, which would be part of the value: remove the quotes"


def without_ends(text: str) -> str:
    """Return a value without a byte order mark before it and line ends after it.

    Editors, shells and files with CRLF leave them. They are never part of a secret.
    """
    return text.removeprefix(_BYTE_ORDER_MARK).rstrip("\r\n")


def is_quoted(text: str) -> bool:
    """Return whether a value is enclosed in quotes, as a copied line of a shell is."""
    inner = text.strip()
    return len(inner) > 1 and _QUOTES.get(inner[0]) == inner[-1]
