"""The rules for new passwords."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.credentials import common_passwords, passwords


def refusal(password: str, *, least: int = 8, username: str = "ada", site: str = "") -> str:
    """Return why a new password is refused, '' if it is not."""
    try:
        passwords.new(password, least=least, username=username, site=site)
    except ValueError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery staple",
        "Tuesday rain on 14 roofs",
        "тихий дождь по крышам",
        "雨が屋根に降る火曜日の朝です",
        "        blanks count too",
        "🦉🦊🐢🐙🦔🐝🦋🐌 and words",
        "my latchkey opens doors",
        "ada writes long letters",
        "x7!Qp-2v_Lw9z",
        "kT7$mQz9",
        "the cat ",
        "a" + "bcd efg hij" * 23,
    ],
)
def test_any_characters_are_allowed(password: str) -> None:
    assert refusal(password) == ""


@pytest.mark.parametrize(
    "password",
    [
        "password",
        "PassWord",
        "Password2024!!!!",
        "!!!password!!!",
        "passwordpassword",
        "passwordpasswordpass",
        "qwertyuiop123456",
        "aaaaaaaaaaaaaaaa",
        "!!!!!!!!!!!!!!!!",
        "abcabcabcabcabcabc",
        "abcdefghijklmnop",
        "zyxwvutsrqponmlk",
        "1234567890123456",
        "8675309867530986753098",
        "monkey!monkey!monkey!",
        "  dragon 1999  ",
    ],
)
def test_what_attackers_try_first_is_refused(password: str) -> None:
    assert refusal(password).startswith("is a common password")


@pytest.mark.parametrize(
    ("password", "username"),
    [
        ("latchkey-password1", "ada"),
        ("LatchKey2024!!", "ada"),
        ("ada.lovelace@2024!", "ada.lovelace"),
        ("Ada.LovelaceAda.Lovelace", "ada.lovelace"),
        ("example-latchkey-99", "ada"),
        ("grace-grace-grace-1", "grace"),
        ("11-example.org-11", "ada"),
    ],
)
def test_what_is_built_from_known_names_is_refused(password: str, username: str) -> None:
    message = refusal(password, username=username, site="auth.example.org")
    assert message.startswith(("is built from", "is a common password"))


@pytest.mark.parametrize("least", [8, 15, 64])
def test_the_length_counts_characters_after_normalization(least: int) -> None:
    text = "the cat and the dog by the river, the house and the garden by the sea"
    composed = text[:least]
    assert refusal(composed, least=least) == ""
    assert refusal(composed[:-1], least=least) == f"must have at least {least} characters"
    apart = "u\u0308" * (least - 1)
    assert refusal(apart, least=least) == f"must have at least {least} characters"


@pytest.mark.parametrize("text", ["x" * 257, "u\u0308" * 200, "x" * 10**6])
def test_longer_ones_are_refused_without_normalizing(text: str) -> None:
    assert refusal(text) == "must have at most 256 characters"


@pytest.mark.parametrize("text", ["\ud800" * 9, "a good start \udfff"])
def test_half_a_pair_is_no_text(text: str) -> None:
    assert "surrogate" in refusal(text)


@given(st.text(max_size=300))
def test_every_text_gets_an_answer(text: str) -> None:
    message = refusal(text, least=15, username="ada.lovelace", site="auth.example.org")
    assert message == "" or message[0].islower()


@given(st.text(alphabet="abc1", min_size=1, max_size=7))
def test_a_short_repetition_is_common_whatever_its_word(text: str) -> None:
    assert common_passwords.is_common((text * 40)[:40])
