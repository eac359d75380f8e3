"""`make run-sso` as people see it: in Chromium, from a deep link and back, and out again."""

import pytest
from playwright.sync_api import sync_playwright

from tests.support import sso
from tests.support.fake import Both

STORES = ("sqlite",)  # no store has a part in this

pytestmark = sso.needs_browser


@pytest.mark.parametrize("way", ["OpenID", "CAS"])
def test_from_a_deep_link_by_one_click_and_out_again(both: Both, way: str) -> None:
    with sync_playwright() as playwright, sso.browser(playwright, both.port) as browser:
        page = sso.visitor(browser).new_page()
        page.goto(f"{both.url}/auth/me")
        page.get_by_role("link", name="Sign in").click()
        page.get_by_role("link", name=way).click()
        assert page.url.startswith(both.provider)
        assert page.locator("meta[name=color-scheme]").get_attribute("content") == "light dark"
        page.get_by_role("button", name="contributor").click()
        page.wait_for_url(f"{both.url}/auth/me")
        assert '"username":"contributor"' in page.content()
        page.goto(both.url)
        page.get_by_role("button", name="Sign out").click()
        page.wait_for_url(f"{both.url}/")
        assert page.get_by_role("heading", level=1).inner_text() == "Sign in"
        page.goto(both.provider)
        assert "Signed in as" not in page.inner_text("body")
