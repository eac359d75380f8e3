"""Accept: a page for whoever would rather have one, JSON for everybody else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy

from service.web import accept

PAGE: dict[str, str] = {
    "Firefox": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Chromium": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,"
    "image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7",
    "Lynx": "text/html, text/plain, text/sgml;q=0.5, */*;q=0.01",
    "a page and nothing else": "text/html",
    "in upper case": "TEXT/HTML",
    "a page first": "text/html, application/json;q=0.9",
    "a page first, JSON named first": "application/json;q=0.9, text/html",
    "by a thousandth": "text/html;q=0.501, application/json;q=0.5",
    "blanks around the weight": "application/json ; q = 0.1 , text/html ; q = 0.2",
    "a weight in upper case": "application/json;Q=0.1, text/html;Q=0.2",
    "a weight after another parameter": "text/html;level=1;q=0.9, application/json;q=0.8",
    "JSON by a range": "text/html, application/*;q=0.5",
    "JSON refused": "text/html;q=0.1, application/json;q=0",
    "JSON with a weight that is no number": "text/html;q=0.5, application/json;q=much",
    "JSON with a weight that is not a number": "text/html;q=0.5, application/json;q=nan",
    "empty elements": ", ,text/html,,",
}

JSON: dict[str, str] = {
    "absent": "",
    "anything": "*/*",
    "JSON": "application/json",
    "our errors by name": "application/problem+json",
    "our errors first": "application/problem+json, text/html;q=0.5",
    "JSON first": "application/json, text/html;q=0.9",
    "JSON first by a range": "application/*, text/html;q=0.9",
    "both alike": "text/html, application/json",
    "a page as good as anything": "text/html, */*",
    "a page less than other text": "text/html;q=0.1, text/*;q=0.9, application/json;q=0.5",
    "a page that is refused": "text/html;q=0, */*;q=0.1",
    "a page of no weight": "text/html;q=0.000",
    "a page of a negative weight": "text/html;q=-1",
    "a page of a weight that is no number": "text/html;q=much, application/json;q=0.1",
    "a page of a weight that is not a number": "text/html;q=nan, application/json;q=0.1",
    "a page of an empty weight": "text/html;q=",
    "a page as a parameter": 'application/json;profile="text/html"',
    "a longer type": "text/html5, x-text/html",
    "another markup": "application/xhtml+xml, image/*",
    "no Accept at all": "\0text/html\0",
}


def sent(header: str) -> CIMultiDictProxy[str]:
    return CIMultiDictProxy(CIMultiDict({"Accept": header}))


@pytest.mark.parametrize("header", PAGE.values(), ids=PAGE)
def test_who_ranks_a_page_higher_gets_a_page(header: str) -> None:
    assert accept.prefers_html(sent(header))


@pytest.mark.parametrize("header", JSON.values(), ids=JSON)
def test_everybody_else_gets_json(header: str) -> None:
    assert not accept.prefers_html(sent(header))


@pytest.mark.parametrize("unit", [",", ";", "a/b,", "a;q=1,", "text/html;q=1,", "a/b;;;;q=1,"])
def test_only_the_beginning_of_a_long_header_is_read(
    unit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    parse = accept._range

    def counting(part: str) -> tuple[str, float]:
        read.append(part)
        return parse(part)

    monkeypatch.setattr(accept, "_range", counting)
    accept._prefers_html.cache_clear()
    header = "text/html," + unit * (57_000 // len(unit))
    assert accept.prefers_html(sent(header)) == accept.prefers_html(sent(header))
    assert sum(map(len, read)) < accept.LOOKED_AT  # and only once


def test_a_range_that_is_cut_off_does_not_count() -> None:
    filler = "a/b," * 246  # 984 characters
    assert accept.prefers_html(sent("text/html;q=0.5," + filler + "application/json;q=0.9"))
    assert not accept.prefers_html(sent(filler * 2 + "text/html"))


WEIGHTS = st.integers(0, 1000).map(lambda thousandths: thousandths / 1000)


@given(page=WEIGHTS, data=WEIGHTS, rest=WEIGHTS, order=st.permutations(range(3)))
def test_weights_decide_and_the_order_does_not(
    page: float, data: float, rest: float, order: list[int]
) -> None:
    ranges = [f"text/html;q={page}", f"application/json;q={data}", f"text/*;q={rest}"]
    header = ", ".join(ranges[place] for place in order)
    assert accept.prefers_html(sent(header)) == (page > data)
