"""A text in a header is ASCII, never empty, and can be read back."""

from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.forward_auth import headers

SPELT = {
    None: "-",
    "": "-",
    " ": "-",
    "-": "%2D",
    "--": "--",
    "Ada Lovelace": "Ada Lovelace",
    " Ada ": "Ada",
    "Zo\u00eb": "Zo%C3%AB",
    "100 %": "100 %25",
    "%2D": "%252D",
    "a\r\nSet-Cookie: x": "a%0D%0ASet-Cookie: x",
    "a\0b": "a%00b",
    "\u540d\U0001f600": "%E5%90%8D%F0%9F%98%80",
    'a, "b"; c=d': 'a, "b"; c=d',
}


@pytest.mark.parametrize(("text", "spelt"), SPELT.items())
def test_it_is_spelt_in_one_way(text: str | None, spelt: str) -> None:
    assert headers.value(text) == spelt


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_it_can_be_read_back(text: str) -> None:
    value = headers.value(text)
    assert value
    assert value.isascii()
    assert value.isprintable()
    assert value == value.strip()
    assert (unquote(value) if value != headers.NOTHING else "") == text.strip()


def test_nobody_without_a_name_is_left_out() -> None:
    claims: Any = {"username": "ada", "roles": []}
    assert headers.of(claims, None, "ada@example.org") == {
        "Remote-User": "ada",
        "Remote-Groups": "-",
        "Remote-Name": "-",
        "Remote-Email": "ada@example.org",
        "X-Auth-Request-User": "ada",
        "X-Auth-Request-Groups": "-",
        "X-Auth-Request-Email": "ada@example.org",
    }
