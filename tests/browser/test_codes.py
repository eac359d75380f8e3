"""One-time codes in a real Chromium: without scripts too, on a phone, required by the server."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser.test_admin import Person
from tests.browser.test_cookies import CHROMIUM
from tests.support.codes import App, forget_used
from tests.support.passwords import RIGHT, give_password, quick_hashes
from tests.support.servers import Running, Server
from tests.support.stores import Store

__all__ = ["quick_hashes"]

STORES = ("sqlite",)  # no store has a part in this

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")


@pytest.fixture(scope="module", params=["optional", "required"])
def site(
    running: Running,
    store: Store,
    quick_hashes: None,  # noqa: ARG001  # before the server starts
    request: pytest.FixtureRequest,
) -> Server:
    server = running.start(store, PASSWORD_AUTH="true", SECOND_FACTOR=request.param)
    give_password(server, "user")
    return server


@pytest.fixture(autouse=True)
def without_codes(site: Server) -> None:
    site.cli("user", "totp-reset", "user")
    site.cli("limits", "clear", "user")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        yield browser
        browser.close()


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_a_person_sets_codes_up_and_signs_in_with_them(
    browser: Browser, site: Server, *, scripts: bool
) -> None:
    person = Person(browser, site, scripts=scripts)
    page = person.page
    enter_password(page, site, "/account/codes")
    if site.environ["SECOND_FACTOR"] == "optional":
        page.get_by_role("button", name="Set up").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Set up one-time codes")
    app = App(page.locator("dd code").inner_text().replace(" ", ""))
    code = page.get_by_label("Code that the app shows")
    expect(code).to_be_focused()
    code.fill(app.wrong())
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("The code is wrong")
    assert app.secret == page.locator("dd code").inner_text().replace(" ", "")
    box = page.get_by_role("img", name="QR code").locator("svg").bounding_box()
    assert box is not None
    assert box["width"] == box["height"] >= 200
    code.fill(app.code())
    page.get_by_role("button", name="Confirm").click()
    recovery = page.locator(".codes code").all_inner_texts()
    assert len(recovery) == 10
    page.get_by_role("link", name="Continue").click()
    expect(page.locator("main dd").last).to_have_text("10")
    forget_used(site)

    sign_out(page, site)
    enter_password(page, site, "/account/codes")
    code = page.get_by_label("Code of your authenticator app")
    expect(code).to_be_focused()
    code.fill(app.wrong())
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("The code is wrong")
    code.fill(app.code())
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("One-time codes")

    sign_out(page, site)
    enter_password(page, site, "/account/codes")
    page.get_by_role("link", name="Use a recovery code").click()
    page.get_by_label("Recovery code").fill(recovery[0].upper())
    page.keyboard.press("Enter")
    expect(page.locator("main dd").last).to_have_text("9")
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_role("button", name="Set up")).to_be_visible()
    assert person.complaints == []


def test_the_pages_fit_a_phone(browser: Browser, site: Server) -> None:
    page = Person(browser, site).page
    page.set_viewport_size({"width": 320, "height": 640})
    enter_password(page, site, "/account/codes")
    if site.environ["SECOND_FACTOR"] == "optional":
        page.get_by_role("button", name="Set up").click()
    require_no_scrolling_aside(page)
    app = App(page.locator("dd code").inner_text().replace(" ", ""))
    page.get_by_label("Code that the app shows").fill(app.code())
    page.get_by_role("button", name="Confirm").click()
    expect(page.locator(".codes code")).to_have_count(10)
    require_no_scrolling_aside(page)
    sign_out(page, site)
    enter_password(page, site, "/")
    require_no_scrolling_aside(page)


def enter_password(page: Page, site: Server, location: str) -> None:
    """Sign in by password, up to the second step."""
    page.goto(f"{site.url}/auth/login?next={location}")
    page.get_by_label("User name").fill("user")
    page.get_by_label("Password", exact=True).fill(RIGHT)
    page.get_by_role("button", name="Sign in").click()


def sign_out(page: Page, site: Server) -> None:
    page.goto(site.url)
    page.get_by_role("button", name="Sign out").click()


def require_no_scrolling_aside(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
