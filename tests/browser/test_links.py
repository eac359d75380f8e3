"""Links in Chromium: a password with a form, and a passkey with the virtual authenticator."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.test_cookies import CHROMIUM
from tests.browser.test_passkeys import Person, browser
from tests.support.links import PASSWORD, invitation, link, new_user
from tests.support.passwords import quick_hashes
from tests.support.servers import Running, Server
from tests.support.stores import Store

__all__ = ["browser", "quick_hashes"]

STORES = ("sqlite",)  # no store has a part in this

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")


@pytest.fixture(scope="module")
def site(running: Running, store: Store, quick_hashes: None) -> Server:  # noqa: ARG001  # before the server starts
    return running.start(store, PASSKEY_AUTH="true", PASSWORD_AUTH="true", COOKIE_SECURE="false")


@pytest.fixture
def person(browser: Browser) -> Iterator[Person]:  # the fixture
    made = Person(browser)
    yield made
    made.context.close()


def test_an_invitation_makes_an_account_with_a_passkey(site: Server, person: Person) -> None:
    path, _ = invitation(site)
    person.page.goto(site.url + path)
    button = person.page.get_by_role("button", name="Create the account with a passkey")
    person.page.get_by_label("User name").fill("admin")
    button.click()
    expect(person.page.get_by_role("alert")).to_contain_text("Another user has this name")
    person.page.get_by_label("User name").fill("Ada")
    button.click()
    person.page.wait_for_url(f"{site.url}/")
    expect(person.page.get_by_role("main")).to_contain_text("ada")
    assert [each for each in person.complaints if "409" not in each] == []


def test_a_link_for_a_user_sets_a_password(site: Server, person: Person) -> None:
    path = link(site, new_user(site, "beth"))
    person.page.goto(site.url + path)
    person.page.get_by_label("New password").fill("aaaaaaaaaaaaaaaaaaaa")
    person.page.get_by_role("button", name="Set the password").click()
    expect(person.page.get_by_role("alert").first).to_be_visible()
    person.page.get_by_label("New password").fill(PASSWORD)
    person.page.get_by_role("button", name="Set the password").click()
    person.page.wait_for_url(f"{site.url}/")
    expect(person.page.get_by_role("main")).to_contain_text("beth")
    assert [each for each in person.complaints if "422" not in each] == []
