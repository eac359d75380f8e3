"""A strict parser of JSON: RFC 8259 with the restrictions of RFC 7493 (I-JSON)."""

import json
import re
from typing import Any, NoReturn

from service.parsing.over_limit import OverLimit

MAX_DEPTH = 32
# Also matches unclosed strings. Possessive, so each character is read once.
_STRINGS = re.compile(r'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_BRACKETS = re.compile(r"[\[\]{}]")


def loads(data: bytes) -> Any:
    """Parse UTF-8 JSON. Raises ValueError for data that parsers could read differently, OverLimit.

    Rejects a byte order mark, other encodings, duplicate member names, NaN and Infinity, numbers
    too large for a float, lone surrogates, and nesting over MAX_DEPTH.
    """
    text = data.decode("utf-8")
    if text.count("[") + text.count("{") > MAX_DEPTH and _depth(text) > MAX_DEPTH:
        raise OverLimit(f"{MAX_DEPTH} levels", "nested too deeply")
    value = _DECODER.decode(text)
    if "\\u" in text:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    return value


def _depth(text: str) -> int:
    """Return the nesting depth of brackets outside of strings."""
    deepest = depth = 0
    for bracket in _BRACKETS.findall(_STRINGS.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member name is a duplicate")
    return members


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise ValueError("a number is too large")
    return number


def _integer(digits: str) -> int:
    _finite(digits)
    return int(digits)


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite, parse_int=_integer
)
