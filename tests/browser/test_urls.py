"""Where a sign-in may lead, held against the way in which a real Chromium reads addresses."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from playwright.sync_api import Page, sync_playwright

from service.parsing import urls
from tests.browser.test_cookies import CHROMIUM
from tests.support.thoroughness import some
from tests.unit.test_urls import ALLOWED, GOOD, HOSTILE, OWN, PIECES

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")

BASE = f"{OWN}/auth/bypass"
READ = """([values, base]) => values.map(units => {
    try {
        const url = new URL(String.fromCharCode(...units), base);
        return [url.origin, url.href];
    } catch {
        return null;
    }
})"""

Read = tuple[str, str] | None


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    """Yield an empty page."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        yield browser.new_page()
        browser.close()


def read(page: Page, values: list[str]) -> list[Read]:
    """Return origin and address of each value as the browser reads it from ours; None if it can't.

    The values travel as UTF-16: some are no text that could be sent otherwise.
    """
    units = [list(memoryview(v.encode("utf-16-le", "surrogatepass")).cast("H")) for v in values]
    return [found and (found[0], found[1]) for found in page.evaluate(READ, [units, BASE])]


def assert_the_browser_agrees(page: Page, values: list[str]) -> None:
    """Check that what is followed leads where it says, and to nobody else."""
    results = [urls.safe_next([value], ALLOWED) for value in values]
    for value, result, meant, led in zip(
        values, results, read(page, values), read(page, results), strict=True
    ):
        assert led is not None
        assert led[0] in ALLOWED, (value, result, led)
        if result != urls.HOME:
            assert meant == led, (value, result)
        if meant is None or meant[0] not in ALLOWED:
            assert result == urls.HOME, (value, meant)


def test_the_table_is_long_enough() -> None:
    assert len(HOSTILE) >= 60


def test_the_browser_reads_every_address_of_the_tables_as_we_do(page: Page) -> None:
    assert_the_browser_agrees(page, [*GOOD, *HOSTILE])


def test_the_tables_have_what_browsers_would_follow_elsewhere(page: Page) -> None:
    foreign = [found for found in read(page, HOSTILE) if found and found[0] not in ALLOWED]
    assert len(foreign) >= 60


@settings(
    max_examples=some(50),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(st.lists(PIECES | st.characters()).map("".join), min_size=40, max_size=40))
def test_the_browser_reads_whatever_comes_as_we_do(page: Page, values: list[str]) -> None:
    assert_the_browser_agrees(page, values)
