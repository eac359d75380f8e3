"""The strict reader of forms."""

from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service import schemas
from service.parsing import strict_form


@pytest.mark.parametrize(
    ("data", "fields"),
    [
        (b"", []),
        (b"a=1", [("a", "1")]),
        (b"a=", [("a", "")]),
        (b"=b", [("", "b")]),
        (b"a=1&a=2", [("a", "1"), ("a", "2")]),
        (b"a=b=c", [("a", "b=c")]),
        (b"a+b=c%20d+e", [("a b", "c d e")]),
        (b"a=%C3%A9%F0%9F%98%80", [("a", "\u00e9\U0001f600")]),
        (b"a=%26%3D%25%2B", [("a", "&=%+")]),
        (b"a=%00", [("a", "\x00")]),
    ],
)
def test_what_browsers_send(data: bytes, fields: strict_form.Fields) -> None:
    assert strict_form.loads(data) == fields


@pytest.mark.parametrize(
    "data",
    [
        b"a",
        b"&",
        b"a=1&",
        b"&a=1",
        b"a=1&&b=2",
        b"a;b",
        b"a=%",
        b"a=%4",
        b"a=%zz",
        b"a=%u0041",
        b"a= ",
        b"a=\n",
        b"a=\x00",
        b"a=\xc3\xa9",
        b"\xef\xbb\xbfa=1",
        b"a=%ff",
        b"a=%C3",
        b"a=%ED%A0%80",
        b"%ff=a",
        '{"a": 1}'.encode("utf-16"),
        b'{"a": 1}',
        b"--boundary\r\nContent-Disposition: form-data",
    ],
    ids=repr,
)
def test_what_no_browser_sends(data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # its text is nobody's
        strict_form.loads(data)


@given(st.lists(st.tuples(st.text(), st.text())))
def test_what_is_written_is_read(fields: strict_form.Fields) -> None:
    encodable = [pair for pair in fields if "".join(pair).isprintable()]
    assert strict_form.loads(urlencode(encodable).encode()) == encodable


@given(st.binary(max_size=60))
def test_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        fields = strict_form.loads(data)
    except ValueError:
        return
    assert all(isinstance(part, str) for pair in fields for part in pair)


def test_a_form_says_what_a_body_in_json_would() -> None:
    fields = [("username", "x"), ("roles", "a"), ("disabled", "true"), ("roles", "b")]
    assert schemas.form(fields) == {"username": "x", "roles": ["a", "b"], "disabled": True}
    assert schemas.form([("roles", "a"), ("disabled", "yes")]) == {
        "roles": ["a"],
        "disabled": "yes",
    }
    assert schemas.form([("name", "a"), ("name", "b")]) == {"name": ["a", "b"]}
    assert schemas.form([]) == {}
