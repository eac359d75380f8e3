"""Strict JSON: what two readers could read in two ways is not read at all."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.parsing import strict_json

READ: list[tuple[bytes, Any]] = [
    (b"null", None),
    (b"true", True),
    (b"-0", 0),
    (b"9007199254740991", 2**53 - 1),
    (b"1e3", 1000.0),
    (b"-1.7976931348623157e308", -1.7976931348623157e308),
    (b'""', ""),
    ('"\u00e9\u2028\U0001f600"'.encode(), "\u00e9\u2028\U0001f600"),
    (b'"\\u00e9\\ud83d\\ude00\\u0000"', "\u00e9\U0001f600\0"),
    (b'"\\\\ud800"', "\\ud800"),
    (b" \t\r\n[ ] \t\r\n", []),
    (b'{"a": {"a": [{"a": 1}, {"a": 1}]}}', {"a": {"a": [{"a": 1}, {"a": 1}]}}),
    (b'{"a":1,"A":2,"":3}', {"a": 1, "A": 2, "": 3}),
    ('{"\u00e9":1,"e\u0301":2}'.encode(), {"\u00e9": 1, "e\u0301": 2}),
    (b"[" * 32 + b"]" * 32, json.loads("[" * 32 + "]" * 32)),
    (b'["' + b"[" * 99 + b'\\"' + b"{" * 99 + b'"]', ["[" * 99 + '"' + "{" * 99]),
]

REFUSED: dict[str, bytes] = {
    "nothing": b"",
    "only blanks": b" \n",
    "a byte order mark": b"\xef\xbb\xbf{}",
    "UTF-16": "{}".encode("utf-16"),
    "UTF-16 without a mark": "{}".encode("utf-16-le"),
    "UTF-32": "{}".encode("utf-32-be"),
    "Latin-1": '"\u00e9"'.encode("latin-1"),
    "an overlong encoding": b'"\xc0\xaf"',
    "a surrogate in UTF-8": b'"\xed\xa0\x80"',
    "UTF-8 cut short": b'"\xf0\x9f\x98"',
    "a lone high surrogate": b'"\\ud800"',
    "a lone low surrogate": b'"\\udc00"',
    "surrogates the wrong way round": b'"\\ude00\\ud83d"',
    "a lone surrogate in upper case": b'"\\uD800"',
    "a lone surrogate in a name": b'{"\\ud800": 1}',
    "a lone surrogate further in": b'[{"a": ["\\udfff"]}]',
    "a name twice": b'{"a":1,"a":1}',
    "a name twice, once escaped": b'{"a":1,"\\u0061":2}',
    "a name twice, further in": b'[{"b":{"a":1,"a":2}}]',
    "an empty name twice": b'{"":1,"":2}',
    "NaN": b"NaN",
    "Infinity": b"[Infinity]",
    "minus Infinity": b'{"a": -Infinity}',
    "a fraction too large for a float": b"1e400",
    "a negative number too large for a float": b"[-1.5e999]",
    "an integer too large for a float": b"1" + b"0" * 400,
    "an integer of five thousand digits": b"9" * 5000,
    "nesting without end": b"[" * 200_000,
    "lists nested just too deeply": b"[" * 33 + b"]" * 33,
    "lists nested too deeply": b"[" * 200_000 + b"]" * 200_000,
    "objects nested too deeply": b'{"a":' * 200_000 + b"1" + b"}" * 200_000,
    "nesting, then a text that is not closed": b"[" * 33 + b'"' + b'\\"' * 99,
    "nesting, then a text that ends in a backslash": b"[" * 33 + b'"' + b'\\"' * 99 + b"\\",
    "two values": b"{}{}",
    "something after": b"{} x",
    "a NUL after": b"{}\0",
    "a NUL in a text": b'"\0"',
    "a line end in a text": b'"\n"',
    "a form feed before": b"\f{}",
    "a no-break space before": b"\xc2\xa0{}",
    "a comma too many in a list": b"[1,]",
    "a comma too many in an object": b'{"a":1,}',
    "a comment": b"/* */ {}",
    "single quotes": b"{'a': 1}",
    "a bare name": b"{a: 1}",
    "a number as a name": b"{1: 1}",
    "a leading zero": b"01",
    "a plus sign": b"+1",
    "a bare fraction": b".5",
    "an unfinished fraction": b"1.",
    "hexadecimal": b"0x1",
    "an underscore": b"1_000",
    "arabic digits": "\u0661\u0662".encode(),
    "Python's words": b"None",
    "another case": b"True",
    "an unknown escape": b'"\\x41"',
    "half an escape": b'"\\u00"',
}

quick = settings()


@pytest.mark.parametrize(("data", "value"), READ, ids=lambda part: repr(part)[:40])
def test_plain_json_is_read(data: bytes, value: Any) -> None:
    read = strict_json.loads(data)
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize("data", REFUSED.values(), ids=REFUSED)
def test_loose_json_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - each parser has its own words
        strict_json.loads(data)


@quick
@given(
    value=st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**63), 2**63)
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=9,
    ),
    ascii_only=st.booleans(),
)
def test_what_was_written_is_read_back(value: Any, *, ascii_only: bool) -> None:
    assert strict_json.loads(json.dumps(value, ensure_ascii=ascii_only).encode()) == value


@quick
@given(
    st.binary()
    | st.text(alphabet='{}[]",:\\u0d8c1e+-. \nNafI').map(str.encode)
    | st.lists(st.sampled_from(['{"a":', '"a"', "1", ",", ":", "[", "]", "}", "NaN"])).map(
        lambda pieces: "".join(pieces).encode()
    )
)
def test_whatever_comes_is_read_as_others_read_it_or_refused(data: bytes) -> None:
    try:
        read = strict_json.loads(data)
    except ValueError:
        return
    assert read == json.loads(data)
