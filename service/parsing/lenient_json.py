"""A parser of a provider's JSON, in which only the members that are used have to be clear."""

import enum
import json
import re
from typing import Any

MAX_DEPTH = 32
"""The maximum depth of values. Deeper ones are not read."""

# Also matches unclosed strings. Possessive, so each character is read once.
_PARTS = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[\]{}]', re.DOTALL)
_SURROGATE = re.compile("[\ud800-\udfff]")
_MAYBE_SURROGATE = re.compile(r"[\ud800-\udfff]|\\u[Dd][89A-Fa-f]")
_TOO_DEEP = "-Infinity"
"""Stands for a value that is too deep. As a number it is not JSON, so it is unclear, too."""


class Unclear(enum.Enum):
    """A value that parsers could read differently, or not at all. It has none of JSON's types.

    Where it is used, it is a value of the wrong type. It is never an absent one.
    """

    DUPLICATE = "duplicate"
    """The member occurs several times."""
    NUMBER = "number"
    """A number that is too large for a float, or NaN."""
    CHARACTERS = "characters"
    """A text with a lone surrogate, or with bytes that are not UTF-8."""
    LEVELS = "levels"
    """A value that is nested too deeply."""


def loads(data: bytes) -> dict[str, Any]:
    """Parse a JSON object in UTF-8. Raises ValueError for what is not one.

    Members whose name is unclear are left out, and values that are unclear are Unclear. What is
    inside a value that is too deep is not judged.
    """
    text = _without_depths(data.decode("utf-8", "surrogateescape"))
    value = _DECODER.decode(text)
    if not isinstance(value, dict):
        raise ValueError("not an object")  # noqa: TRY004  # the one exception of parsers
    return _clear(value) if _MAYBE_SURROGATE.search(text) else value


def _without_depths(text: str) -> str:
    """Return a text in which a constant replaces each value that is too deep."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return text
    kept: list[str] = []
    start = depth = 0
    for part in _PARTS.finditer(text):
        if part[0] in "[{":
            depth += 1
            if depth == MAX_DEPTH + 1:
                kept += text[start : part.start()], _TOO_DEEP
        elif part[0] in "]}":
            if depth == MAX_DEPTH + 1:
                start = part.end()
            depth -= 1
    return "".join((*kept, text[start:])) if depth <= MAX_DEPTH else ""


def _clear(value: Any) -> Any:
    """Return a value without texts that contain a lone surrogate."""
    if isinstance(value, str):
        return Unclear.CHARACTERS if _SURROGATE.search(value) else value
    if isinstance(value, list):
        return [_clear(each) for each in value]
    if isinstance(value, dict):
        return {name: _clear(each) for name, each in value.items() if not _SURROGATE.search(name)}
    return value


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                members[name] = Unclear.DUPLICATE
            seen.add(name)
    return members


def _constant(name: str) -> Unclear:
    return Unclear.LEVELS if name == _TOO_DEEP else Unclear.NUMBER


def _finite(digits: str) -> float | Unclear:
    number = float(digits)
    return Unclear.NUMBER if number in (float("inf"), float("-inf")) else number


def _integer(digits: str) -> int | Unclear:
    return Unclear.NUMBER if _finite(digits) is Unclear.NUMBER else int(digits)


_DECODER = json.JSONDecoder(
    object_pairs_hook=_members, parse_constant=_constant, parse_float=_finite, parse_int=_integer
)
