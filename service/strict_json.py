"""One strict reader of JSON: RFC 8259 with the choices of RFC 7493 (I-JSON)."""

import json
from typing import Any, NoReturn


def loads(data: bytes) -> Any:
    """Parse UTF-8 JSON; raise ValueError on anything that two parsers could read in two ways.

    Refused: a byte order mark, other encodings, duplicate member names, NaN and Infinity, numbers
    too large for a float, lone surrogates, and nesting or digits beyond what Python takes.
    """
    try:
        text = data.decode("utf-8")
        value = _DECODER.decode(text)
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member name comes twice")
    return members


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise ValueError("a number is too large")
    return number


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite
)
