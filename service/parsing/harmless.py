"""Texts that people read, such as names: which characters are harmless.

"Printable" would be the wrong rule: Persian and Sinhala names and many emoji contain joiners
(U+200C, U+200D), and characters that are newer than Python's tables count as not printable.
"""

import re
import unicodedata

_HARMFUL = re.compile(
    "["
    "\x00-\x1f\x7f-\x9f"  # control characters, with tabs and line ends
    "\u2028\u2029"  # separators of lines and paragraphs
    "\u202a-\u202e\u2066-\u2069"  # embeddings, overrides and isolates of bidirectional text
    "\u206a-\u206f\ufff9-\ufffb"  # deprecated format characters, annotations
    "\ud800-\udfff"  # lone surrogates
    "\ufdd0-\ufdef"
    + "".join(
        f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0, 0x110000, 0x10000)
    )
    + "]"  # noncharacters
)
_ODD_BLANKS = re.compile("[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")
_INVISIBLE = frozenset("\u115f\u1160\u2800\u3164\uffa0")
_DIRECTIONS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def normalize(text: str) -> str:
    """Return a text with plain blanks, and none at its ends. Raises ValueError."""
    require(text)
    plain = with_plain_blanks(text).strip(" ")
    if plain and not is_visible(plain):
        raise ValueError("has no visible character")
    return plain


def require(text: str) -> None:
    """Raise ValueError if a text has a control character, a direction control or the like."""
    if found := _HARMFUL.search(text):
        raise ValueError(f"contains {_name(found[0])}")


def with_plain_blanks(text: str) -> str:
    """Return a text whose blanks, such as no-break spaces, are all U+0020."""
    return _ODD_BLANKS.sub(" ", text)


def is_harmless(text: str) -> bool:
    """Return whether `require` accepts a text."""
    return _HARMFUL.search(text) is None


def is_visible(text: str) -> bool:
    """Return whether a text has a character that can be seen."""
    return any(
        character not in _INVISIBLE and unicodedata.category(character) not in {"Cf", "Mn", "Zs"}
        for character in text
    )


def escape(text: str) -> str:
    """Return a text with its harmful characters escaped, as in a string of Python."""
    return _HARMFUL.sub(lambda found: ascii(found[0])[1:-1], text)


def _name(character: str) -> str:
    kind = "a control character" if unicodedata.category(character) == "Cc" else "not allowed here"
    if character in _DIRECTIONS:
        kind = "which changes the direction of text"
    return f"U+{ord(character):04X}, {kind}"
