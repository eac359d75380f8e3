"""Cookies: the one cookie of exactly our name is read as it stands, and never one of two."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service import errors
from service.web import cookies

READ: dict[str, tuple[list[str], str | None]] = {
    "no header": ([], None),
    "an empty header": ([""], None),
    "only separators": (["; ;;"], None),
    "alone": (["jwt=x.y.z"], "x.y.z"),
    "first": (["jwt=x; theme=dark"], "x"),
    "last": (["theme=dark; jwt=x"], "x"),
    "on the second line": (["theme=dark", "jwt=x"], "x"),
    "no blank after the semicolon": (["theme=dark;jwt=x"], "x"),
    "a semicolon at the end": (["jwt=x;"], "x"),
    "an empty value": (["jwt="], ""),
    "equals signs in the value": (["jwt=x=y=="], "x=y=="),
    "a quoted value stays quoted": (['jwt="x"'], '"x"'),
    "a semicolon in quotes ends the value": (['jwt="x;y"'], '"x'),
    "nothing is percent-decoded": (["jwt=%78"], "%78"),
    "a comma separates nothing": (["jwt=x, theme=y"], "x, theme=y"),
    "$Version is a cookie like any other": (["$Version=1; jwt=x; $Path=/"], "x"),
    "a name without a value": (["jwt"], None),
    "another case": (["JWT=x; Jwt=x"], None),
    "a longer name": (["jwt2=x; jwt.0=x; __Host-jwt=x; xjwt=x"], None),
    "our name in another's value": (["theme=jwt=x; other=; =jwt=x"], None),
    "a quoted name": (['"jwt"=x'], None),
    "a percent-encoded name": (["j%77t=x"], None),
    "a blank before the equals sign": (["jwt =x"], None),
    "a tab before the name": (["\tjwt=x"], None),
    "a tab after the name": (["jwt\t=x"], None),
    "a comma before the name": (["theme=dark, jwt=x"], None),
    "a line end before the name": (["\njwt=x"], None),
    "a no-break space before the name": (["\u00a0jwt=x"], None),
    "a next-line character before the name": (["\u0085jwt=x"], None),
    "a wide blank before the name": (["\u2000jwt=x"], None),
    "a NUL after the name": (["jwt\0=x"], None),
    "a blank before the name, which is not at the beginning": (["theme=dark jwt=x"], None),
    "other names beside ours": (["JWT=evil; jwt=x; Jwt=evil; jwt2=y; xjwt=y; x-jwt=y"], "x"),
    "our name in quotes, in another's value": (['jwt=x; theme="jwt=y"'], "x"),
    "our name in another's address": (["jwt=x; back=/?jwt=y&jwt=z"], "x"),
    "our name in another's encoded value": (["jwt=x; back=%20jwt%3Dy"], "x"),
    "our name as a word of another's value": (["jwt=x; theme=a jwt b; say=jwt"], "x"),
    "a percent sign in another's name": (["jwt=x; %=y; %zz=y; j%77=y"], "x"),
    "our name inside its value": (["jwt=jwt.jwt=jwt"], "jwt.jwt=jwt"),
}

TWICE: dict[str, list[str]] = {
    "on one line": ["jwt=x; jwt=y"],
    "on two lines": ["jwt=x", "jwt=y"],
    "far apart": ["jwt=x; a=1; b=2", "c=3", "d=4; jwt=y"],
    "the same value": ["jwt=x; jwt=x"],
    "the first one empty": ["jwt=; jwt=x"],
    "the second one empty": ["jwt=x; jwt="],
    "without a blank": ["jwt=x;jwt=y"],
    "three times": ["jwt=x; jwt=y; jwt=z"],
    "a blank after the first name": ["jwt =x; jwt=y"],
    "a blank after the second name": ["jwt=x; jwt =y"],
    "a tab after the name": ["jwt\t=x; jwt=y"],
    "a tab before the name": ["jwt=x; \tjwt=y"],
    "several blanks": ["jwt \t =x; jwt=y"],
    "both spelt oddly": ["\tjwt=x; \tjwt=y"],
    "one on each line, one spelt oddly": ["jwt=x", "jwt =y"],
    "a line of odd spellings": ["jwt =x;jwt\t=y"],
    "a vertical tab before the name": ["\x0bjwt=x; jwt=y"],
    "a form feed before the name": ["jwt=y;\x0cjwt=x"],
    "a line end before the name": ["\njwt=x; jwt=y"],
    "a NUL after the name": ["jwt\0=x; jwt=y"],
    "a no-break space before the name": ["\u00a0jwt=x; jwt=y"],
    "a no-break space after the name": ["jwt\u00a0=x; jwt=y"],
    "a byte that is a no-break space in Latin-1": ["\udca0jwt=x; jwt=y"],
    "a byte that is a line end in Latin-1": ["jwt=x; \udc85jwt=y"],
    "a wide blank before the name": ["\u2000jwt=x; jwt=y"],
    "a blank of no width": ["\u200bjwt=x; jwt=y"],
    "a byte order mark": ["\ufeffjwt=x; jwt=y"],
    "a name in quotes": ['"jwt"=x; jwt=y'],
    "a name with a quote before it": ['"jwt=x; jwt=y'],
    "an encoded name": ["j%77t=x; jwt=y"],
    "an encoded name with a blank": ["%20%6a%77%74=x; jwt=y"],
    "a name without a value": ["jwt; jwt=y"],
    "a name without a value at the end": ["jwt=y; jwt"],
    "two names without a value": ["jwt;jwt"],
    "after a comma": ["jwt=x, jwt=y"],
    "after a comma without a blank": ["jwt=x,jwt=y"],
    "after a comma in another's value": ["theme=a,jwt=x; jwt=y"],
    "after a blank in another's value": ["jwt=y; theme=a jwt=x"],
    "in what one takes for quotes": ['theme="; jwt=x; "; jwt=y'],
}


@pytest.mark.parametrize(("lines", "value"), READ.values(), ids=READ)
def test_the_cookie_of_exactly_our_name_is_read_as_it_stands(
    lines: list[str], value: str | None
) -> None:
    assert cookies.read(lines, "jwt") == value


@pytest.mark.parametrize("lines", TWICE.values(), ids=TWICE)
def test_two_cookies_of_our_name_are_refused_whichever_is_good(lines: list[str]) -> None:
    with pytest.raises(errors.CookieAmbiguous) as refused:
        cookies.read(lines, "jwt")
    assert (refused.value.status, refused.value.code) == (401, "cookie_ambiguous")


MANY = {
    "pairs": [";" * 8000] * 7,
    "pairs with values": ["a=b; " * 1600] * 7,
    "encoded names": ["%6aw=;" * 160] * 5,
    "one long encoded name": ["%" * 8000],
    "one escape in each name": ["%=;" * 900],
}


@pytest.mark.parametrize("lines", MANY.values(), ids=MANY)
def test_of_too_many_cookies_none_is_read(
    lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cookies, "unquote", lambda _: pytest.fail("decoded"))
    assert cookies.read(lines, "jwt") is None
    with pytest.raises(errors.CookieAmbiguous):
        cookies.read(["jwt=x", *lines], "jwt")


def test_a_name_that_comes_very_often_is_refused_uncompared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cookies, "_spellings", lambda _: pytest.fail("compared"))
    with pytest.raises(errors.CookieAmbiguous):
        cookies.read(["jwt " * 2000] * 7, "jwt")


def test_as_many_cookies_as_browsers_keep_are_read() -> None:
    others = [f"name%5B{number}%5D=%20%20%20%20" for number in range(200)]
    assert cookies.read(["; ".join([*others, "jwt=x"])], "jwt") == "x"


def test_a_name_is_no_pattern() -> None:
    assert cookies.read(["jXt=x; j.t=y"], "j.t") == "y"


@given(
    value=st.text().filter(lambda text: not {";", "j"} & set(text) and text == text.strip(" ")),
    before=st.lists(st.text().filter(lambda text: "jwt" not in text)),
    after=st.lists(st.text().filter(lambda text: "jwt" not in text)),
)
def test_no_neighbour_changes_what_is_read(value: str, before: list[str], after: list[str]) -> None:
    line = "; ".join([*before, f"jwt={value}", *after])
    assert cookies.read([*before, line, *after], "jwt") == value


def test_cookies_are_measured_by_the_beginning_of_their_name() -> None:
    lines = ["a_1=xyz; b=1;a_2=; a_3", " a_1=x; \ta_4=1"]
    assert cookies.lengths(lines, "a_") == {"a_1": 5, "a_2": 4}


def test_a_cookie_is_written_with_all_its_attributes() -> None:
    facts = {"path": "/p", "max_age": 5, "samesite": "Lax"}
    for secure, word in ((True, "; Secure"), (False, "")):
        assert cookies.write("a", "b", secure=secure, **facts) == (  # type: ignore[arg-type]
            f"a=b; HttpOnly{word}; SameSite=Lax; Path=/p; Max-Age=5"
        )
