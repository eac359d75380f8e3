"""Guessable passwords: common ones, repetitions, and those built from known names.

The list is that of the package zxcvbn: 30,000 passwords from leaks, by frequency.
"""

import importlib
import re
import sys
from collections.abc import Iterable
from functools import cache
from itertools import pairwise

_LIBRARY = "zxcvbn.frequency_lists"
_SHORTEST_NAME = 3  # shorter names are part of too many words
_OWN = 8
"""How many characters a password needs besides names and repetitions."""
_EDGES = re.compile(r"^[\W\d_]+|[\W\d_]+$")


def is_common(password: str) -> bool:
    """Return whether others try a password first: listed, a listed word with digits, a repetition.

    Case does not count.
    """
    text = password.casefold()
    return _is_guessable(text) or _is_guessable(_EDGES.sub("", text))


def is_built_from(password: str, names: Iterable[str]) -> bool:
    """Return whether too little, or a common password, is left of a password without some names."""
    text = password.casefold()
    rest = text
    for name in sorted(map(str.casefold, names), key=len, reverse=True):
        if len(name) >= _SHORTEST_NAME:
            rest = rest.replace(name, " ")
    if rest == text:
        return False
    rest = _EDGES.sub("", rest)
    return len(rest) < _OWN or is_common(rest)


def _is_guessable(text: str) -> bool:
    unit = _unit(text)
    is_repeated = unit != text and len(unit) < _OWN
    return is_repeated or not _listed().isdisjoint({text, unit}) or _is_sequence(text)


def _unit(text: str) -> str:
    """Return the shortest text whose repetition gives `text`, the last one maybe cut off."""
    for length in range(1, len(text) - 3):
        if all(text[i] == text[i % length] for i in range(length, len(text))):
            return text[:length]
    return text


def _is_sequence(text: str) -> bool:
    """Return whether each character follows the one before: abcd, 4321."""
    steps = {ord(b) - ord(a) for a, b in pairwise(text)}
    return len(text) >= _SHORTEST_NAME and steps in ({1}, {-1})


@cache
def _listed() -> frozenset[str]:
    """Load the list, and drop the other lists of the library: 12 MB."""
    found = frozenset(importlib.import_module(_LIBRARY).FREQUENCY_LISTS["passwords"])
    sys.modules.pop(_LIBRARY, None)
    return found
