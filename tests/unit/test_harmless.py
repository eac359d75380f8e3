"""Texts that people read: harmless ones are taken, with plain blanks, and others are refused."""

import re
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.parsing import harmless

GOOD = {
    "Persian, with a non-joiner": "\u0639\u0644\u06cc\u200c\u0631\u0636\u0627",
    "Sinhala, with a joiner": "\u0dc1\u0dca\u200d\u0dbb\u0dd3",
    "Arabic, with a mark of direction": "\u0639\u0644\u064a\u061c 1",
    "Hebrew, with a mark of direction": "\u05d3\u05d5\u05d3\u200f!\u200e",
    "a family of emoji": "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466",
    "an emoji with a variation": "\u2764\ufe0f",
    "a flag of tags": "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    "newer than the tables of Python": "\U0001fae8\U0001fadf",
    "Khmer, with a zero-width space": "\u179f\u17bb\u1781\u200b\u1797",
    "a soft hyphen": "Donau\u00addampf",
    "a word joiner": "a\u2060b",
    "a character for private use": "\ue000",
    "combining marks": "A\u0308da",
    "Vietnamese": "Nguy\u1ec5n",
    "symbols": "O\u2019Brien & Co. <b>",
    "nothing": "",
}
BLANKS = "\u00a0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u202f\u205f\u3000"
BAD = {
    "\0": "U+0000, a control character",
    "\t": "U+0009, a control character",
    "\n": "U+000A, a control character",
    "\x1b": "U+001B, a control character",
    "\x7f": "U+007F, a control character",
    "\x85": "U+0085, a control character",
    "\x9b": "U+009B, a control character",
    "\u2028": "U+2028, not allowed here",
    "\u2029": "U+2029, not allowed here",
    **{
        c: f"U+{ord(c):04X}, which changes the direction of text"
        for c in "\u202a\u202e\u2066\u2069"
    },
    "\u206a": "U+206A, not allowed here",
    "\ufff9": "U+FFF9, not allowed here",
    **{chr(n): f"U+{n:04X}, not allowed here" for n in (0xD800, 0xDFFF)},  # surrogates
    "\ufdd0": "U+FDD0, not allowed here",
    "\uffff": "U+FFFF, not allowed here",
    "\U0010ffff": "U+10FFFF, not allowed here",
}


@pytest.mark.parametrize("text", GOOD.values(), ids=GOOD)
def test_harmless_texts_stay_as_they_are(text: str) -> None:
    assert harmless.normalize(text) == text
    assert harmless.escape(text) == text
    assert harmless.is_harmless(text)


@pytest.mark.parametrize("blank", BLANKS, ids=ascii)
def test_odd_blanks_become_plain(blank: str) -> None:
    assert harmless.normalize(f"{blank} Ada{blank}King {blank}") == "Ada King"
    assert harmless.normalize(blank * 3) == ""


def test_all_blanks_of_unicode_are_covered() -> None:
    found = {chr(n) for n in range(sys.maxunicode + 1) if unicodedata.category(chr(n)) == "Zs"}
    assert found == {" ", *BLANKS}


@pytest.mark.parametrize(("character", "told"), BAD.items(), ids=ascii)
def test_harmful_characters_are_refused_by_name(character: str, told: str) -> None:
    for text in (character, f"Ada{character}King", f"Ada{character}", f"{character}Ada"):
        with pytest.raises(ValueError, match=re.escape(f"contains {told}")):
            harmless.normalize(text)
        assert not harmless.is_harmless(text)
        assert harmless.escape(text).isascii()
        assert character not in harmless.escape(text)


@pytest.mark.parametrize(
    "text", ["\u200b", "\u200d\u200d", " \u2060 ", "\ufeff", "\u00ad", "\u3164", "\u2800", "\ufe0f"]
)
def test_a_text_that_nobody_can_see_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="has no visible character"):
        harmless.normalize(text)


def test_every_control_character_and_surrogate_is_refused() -> None:
    for number in range(sys.maxunicode + 1):
        if unicodedata.category(chr(number)) in {"Cc", "Cs", "Zl", "Zp"}:
            assert not harmless.is_harmless(chr(number)), hex(number)


@given(st.text(st.characters(codec=None)))
def test_what_is_normal_stays_normal(text: str) -> None:
    try:
        plain = harmless.normalize(text)
    except ValueError:
        return
    assert harmless.normalize(plain) == plain
    assert plain == plain.strip()
    plain.encode("utf-8")
