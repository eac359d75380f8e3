"""Passwords and the account page in a real Chromium: with and without scripts, keyboard, phone."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.browser.test_admin import Person
from tests.browser.test_cookies import CHROMIUM
from tests.support.passwords import RIGHT, aged, give_password, quick_hashes
from tests.support.servers import Running, Server
from tests.support.stores import Store

__all__ = ["quick_hashes"]

STORES = ("sqlite",)  # no store has a part in this
NEW = "Wednesday snow on 3 trees"
PHONE = {"width": 320, "height": 640}

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")


@pytest.fixture(scope="module")
def site(running: Running, store: Store, quick_hashes: None) -> Server:  # noqa: ARG001  # before the server starts
    return running.start(store, PASSWORD_AUTH="true")


@pytest.fixture(autouse=True)
def passwords(site: Server) -> None:
    give_password(site, "user")
    site.cli("limits", "clear", "user")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        yield browser
        browser.close()


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_a_person_signs_in_and_changes_the_password(
    browser: Browser, site: Server, *, scripts: bool
) -> None:
    person, elsewhere = (Person(browser, site, scripts=scripts) for _ in range(2))
    elsewhere.sign_in("user")
    page = person.page
    page.goto(f"{site.url}/auth/login?next=/account")
    expect(page.get_by_label("User name")).to_be_focused()
    page.get_by_label("User name").fill("user")
    page.get_by_label("Password", exact=True).fill("a wrong one")
    page.keyboard.press("Enter")
    expect(page.get_by_label("User name")).to_have_value("user")
    expect(page.get_by_label("Password", exact=True)).to_be_focused()
    expect(page.get_by_role("alert")).to_contain_text("The user name or the password is wrong")
    page.get_by_label("Password", exact=True).fill(RIGHT)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your account")
    page.get_by_role("link", name="Password").click()
    field = page.get_by_label("New password")
    expect(field).to_be_focused()
    field.fill("user user user user")
    page.get_by_role("button", name="Save").click()
    expect(field).to_be_focused()
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_have_value("")
    field.fill(NEW)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_contain_text("The password was saved")
    elsewhere.page.goto(f"{site.url}/account")
    expect(elsewhere.page.get_by_role("heading", level=1)).to_have_text("Session revoked")
    page.get_by_role("button", name="Sign out everywhere").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    assert person.complaints == []


def test_an_old_sign_in_asks_for_the_password_or_leads_to_the_sign_in_and_back(
    browser: Browser, site: Server
) -> None:
    person = Person(browser, site)
    page = person.sign_in("user")
    (jwt,) = [each["value"] for each in person.context.cookies() if each.get("name") == "jwt"]
    person.context.clear_cookies()
    person.context.add_cookies([{"name": "jwt", "value": aged(jwt), "url": site.url}])
    page.goto(f"{site.url}/account/password")
    expect(page.get_by_label("Current password", exact=True)).to_be_focused()
    page.get_by_role("link", name="Sign in again").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in again")
    expect(page.get_by_label("User name")).to_have_value("user")
    page.get_by_label("Password", exact=True).fill(RIGHT)
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{site.url}/account/password")
    expect(page.get_by_label("Current password", exact=True)).to_have_count(0)
    assert person.complaints == []


def test_a_button_shows_the_password_and_sending_hides_it(browser: Browser, site: Server) -> None:
    person = Person(browser, site)
    page = person.page
    page.goto(f"{site.url}/auth/login")
    field = page.get_by_label("Password", exact=True)
    field.fill("a wrong one")
    expect(field).to_have_attribute("type", "password")
    page.get_by_role("button", name="Show password").click()
    expect(field).to_have_attribute("type", "text")
    page.get_by_role("button", name="Hide password").click()
    expect(field).to_have_attribute("type", "password")
    page.get_by_role("button", name="Show password").click()
    page.evaluate(
        "document.querySelector('form').addEventListener('submit', event => event.preventDefault())"
    )
    page.get_by_label("User name").fill("user")
    page.get_by_role("button", name="Sign in").click()
    expect(field).to_have_attribute("type", "password")
    assert person.complaints == []


@pytest.mark.parametrize("path", ["/auth/login", "/account", "/account/password"])
def test_nothing_is_wider_than_a_phone(browser: Browser, site: Server, path: str) -> None:
    person = Person(browser, site)
    page = person.sign_in("user")
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    page.goto(f"{site.url}{path}")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert not re.search(r"Traceback|Undefined", page.content())
