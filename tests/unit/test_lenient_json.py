"""Lenient JSON: what is unclear is never read as a value, and changes nothing beside it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.parsing import lenient_json
from service.parsing.lenient_json import MAX_DEPTH, Unclear

READ: list[tuple[bytes, dict[str, Any]]] = [
    (b"{}", {}),
    (
        b' {"a": 1.5, "b": [null, true, "x"], "": {}}\r\n',
        {"a": 1.5, "b": [None, True, "x"], "": {}},
    ),
    (b'{"a": "\\ud83d\\ude00"}', {"a": "\U0001f600"}),
    (b'{"a": 1, "a": 1}', {"a": Unclear.DUPLICATE}),
    (b'{"a": 1, "\\u0061": 2, "b": 3}', {"a": Unclear.DUPLICATE, "b": 3}),
    (b'{"a": null, "a": null}', {"a": Unclear.DUPLICATE}),
    (b'{"a": {"b": 1, "b": 2, "c": 3}}', {"a": {"b": Unclear.DUPLICATE, "c": 3}}),
    (b'{"a": [1e999, 1]}', {"a": [Unclear.NUMBER, 1]}),
    (b'{"a": ' + b"9" * 5000 + b"}", {"a": Unclear.NUMBER}),
    (b'{"a": NaN, "b": Infinity}', {"a": Unclear.NUMBER, "b": Unclear.NUMBER}),
    (b'{"a": "x\\ud83d", "b": "y"}', {"a": Unclear.CHARACTERS, "b": "y"}),
    (b'{"a": "\xff", "b": "y"}', {"a": Unclear.CHARACTERS, "b": "y"}),
    (b'{"a": "\\ud83d\xed\xb8\x80"}', {"a": Unclear.CHARACTERS}),
    (b'{"\\ud83d": 1, "b": ["\\ud83d"]}', {"b": [Unclear.CHARACTERS]}),
    (b'{"a": "\\\\ud83d"}', {"a": "\\ud83d"}),
]
REFUSED = [
    *(b"", b"null", b"[]", b'"a"', b"7", b"{", b'{"a": }', b'{"a": 1,}', b'{"a": 1} x'),
    *(b"\xef\xbb\xbf{}", b"{'a': 1}", b"{a: 1}", b"\xff{}", b'{"a": \xff}', b'{"a" \xff: 1}'),
    *('{"a": 1}'.encode("utf-16"), b'{"a": [', b'{"a": ' + b"[" * 99, b"[" * 99 + b"]" * 99),
    *(b'{"a": ' + b"[" * 99 + b"]" * 98 + b"}", b'{"a": ' + b"[" * 99 + b'"', b"[" * 200_000),
]


@pytest.mark.parametrize(("data", "value"), READ, ids=lambda part: repr(part)[:40])
def test_an_object_is_read(data: bytes, value: dict[str, Any]) -> None:
    assert lenient_json.loads(data) == value


@pytest.mark.parametrize("data", REFUSED, ids=lambda data: repr(data)[:40])
def test_what_is_no_object_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # each parser has its own words
        lenient_json.loads(data)


@pytest.mark.parametrize("deep", [MAX_DEPTH, MAX_DEPTH + 1, 500, 100_000])
def test_a_value_that_is_too_deep_is_unclear_and_the_others_are_read(deep: int) -> None:
    value = b'["]",' * (deep - 1) + b'"["' + b"]" * (deep - 1)
    read = lenient_json.loads(b'{"a": ' + value + b', "b": "[{", "c": ' + value + b', "d": []}')
    assert (read["b"], read["d"]) == ("[{", [])
    for name in "ac":
        inner, depth = read[name], 1
        while isinstance(inner, list):
            inner, depth = inner[1], depth + 1
        assert inner is Unclear.LEVELS if deep > MAX_DEPTH else inner == "["
        assert depth <= MAX_DEPTH + 1


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.text()
    | st.floats(allow_nan=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=9,
)


@given(st.dictionaries(st.text(), VALUES), st.booleans())
def test_what_is_clear_is_read_as_others_read_it(value: dict[str, Any], ascii_only: bool) -> None:  # noqa: FBT001
    value = json.loads(json.dumps(value).replace("Infinity", "1"))
    assert lenient_json.loads(json.dumps(value, ensure_ascii=ascii_only).encode()) == value


@given(
    st.lists(
        st.sampled_from(['{"a":', '"a"', "1", ",", ":", "[", "]", "}", "NaN", '"\\ud83d"', "1e999"])
    ).map(lambda parts: ('{"x": ' + "".join(parts) + "}").encode())
    | st.binary()
)
def test_whatever_comes_is_read_or_refused(data: bytes) -> None:
    try:
        read = lenient_json.loads(data)
    except ValueError:
        return
    json.dumps(read, default=lambda unclear: unclear.value, ensure_ascii=False).encode()
