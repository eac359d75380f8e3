"""The strict reader of XML, and the bounds of what it builds."""

import tracemalloc

import pytest

from service import errors
from service.parsing import strict_xml
from service.parsing.over_limit import OverLimit
from service.providers import cas
from tests.support.cas import TICKET, logout_request, success

MOST, DEPTH, LENGTH = strict_xml.MOST, strict_xml.MAX_DEPTH, strict_xml.MAX_NAMESPACE


def chain(depth: int) -> str:
    return "<a>" * depth + "</a>" * depth


def namespace(length: int, mark: str = '"') -> str:
    return f"<r><n:a xmlns:n \t=\n{mark}{'u' * length}{mark}/></r>"


AT_A_BOUND: dict[str, str] = {
    "levels": chain(DEPTH),
    "elements": f"<a>{'<b/>' * (MOST - 1)}</a>",
    "comments": f"<a>{'<!---->' * (MOST - 1)}</a>",
    "instructions": f"<a>{'<?b?>' * (MOST - 1)}</a>",
    "attributes": '<a b="" c="">' + '<b c=""/>' * (MOST - 2) + "</a>",
    "a namespace": namespace(LENGTH),
    "a namespace in escapes": namespace(LENGTH).replace("u", "&#117;"),
    "a default namespace": f"<a xmlns='{'u' * LENGTH}'/>",
    "a long value": f'<a b="{"c" * 60_000}"/>',
    "a long text": f"<a>{'b' * 60_000}</a>",
}

BEYOND: dict[str, str] = {
    "levels": chain(DEPTH + 1),
    "elements": f"<a>{'<b/>' * MOST}</a>",
    "comments before": "<!---->" * MOST + "<a/>",
    "comments after": "<a/>" + "<!---->" * MOST,
    "instructions": f"<a>{'<?b?>' * MOST}</a>",
    "attributes of one": "<a {}/>".format(" ".join(f"b{number}=''" for number in range(MOST + 1))),
    "attributes of all": "<a>" + '<b c="" d="" e=""/>' * (MOST // 2) + "</a>",
    "a namespace": namespace(LENGTH + 1),
    "a namespace in other quotes": namespace(LENGTH + 1, "'"),
    "a namespace in escapes": namespace(LENGTH + 1).replace("u", "&#117;"),
    "a default namespace": f"<a xmlns='{'u' * (LENGTH + 1)}'/>",
    "a namespace on many attributes": "<r xmlns:a='{}' {}/>".format(
        "u" * 30_000, " ".join(f"a:b{number:x}=''" for number in range(2500))
    ),
    "a namespace on many elements": "<r xmlns:a='{}'>{}</r>".format(
        "u" * 30_000, "".join(f"<a:b{number:x}/>" for number in range(2500))
    ),
}


@pytest.mark.parametrize("text", AT_A_BOUND.values(), ids=AT_A_BOUND)
def test_what_is_within_the_bounds_is_read(text: str) -> None:
    assert strict_xml.loads(text.encode()).tag


@pytest.mark.parametrize("text", BEYOND.values(), ids=BEYOND)
def test_what_is_beyond_is_refused(text: str) -> None:
    with pytest.raises(OverLimit):
        strict_xml.loads(text.encode())


@pytest.mark.parametrize("texts", [AT_A_BOUND, BEYOND], ids=["within", "beyond"])
def test_the_memory_has_a_bound(texts: dict[str, str]) -> None:
    for kind, text in texts.items():
        tracemalloc.start()
        try:
            strict_xml.loads(text.encode())
        except ValueError:
            pass
        finally:
            _, most = tracemalloc.get_traced_memory()
            tracemalloc.stop()
        assert most < 8 * 2**20, kind


def test_a_doctype_is_refused_before_anything_follows_from_it() -> None:
    for before in ("", "<?xml version='1.0'?>\n", "<!-- <a> -->"):
        with pytest.raises(ValueError, match=r"^DTDForbidden$"):
            strict_xml.loads(f"{before}<!DOCTYPE a><a/>".encode())
    assert strict_xml.loads(b"<a><!-- <!DOCTYPE a> --><![CDATA[<!DOCTYPE a>]]></a>").tag == "a"


def test_an_answer_with_very_many_values_is_read() -> None:
    values = "<cas:group>x</cas:group>" * 2500
    known = cas.read_answer(success("ada", f"<cas:attributes>{values}</cas:attributes>"))
    assert len(known.attributes["group"]) == 2500


def test_the_length_of_a_logout_request() -> None:
    room = cas.MOST_LOGOUT_BYTES - len(logout_request(TICKET).encode())
    assert cas.read_logout_request(logout_request(TICKET, " " * room)) == TICKET
    assert cas.read_logout_request(logout_request(TICKET, f"<!--{'é' * (room // 2 - 4)}-->"))
    for inside in (" " * (room + 1), f"<!--{'é' * (room // 2)}-->"):
        with pytest.raises(errors.LogoutRequestInvalid):
            cas.read_logout_request(logout_request(TICKET, inside))
