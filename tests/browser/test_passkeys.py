"""Passkeys in Chromium, with its virtual authenticator: register, sign in, autofill, remove."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, CDPSession, Page, expect, sync_playwright

from tests.browser.test_cookies import CHROMIUM
from tests.support.passwords import quick_hashes
from tests.support.servers import Running, Server
from tests.support.stores import Store

__all__ = ["quick_hashes"]

STORES = ("sqlite",)  # no store has a part in this

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")


@pytest.fixture(scope="module")
def site(running: Running, store: Store, quick_hashes: None) -> Server:  # noqa: ARG001  # before the server starts
    """Return a server with passkeys and passwords."""
    return running.start(store, PASSKEY_AUTH="true", PASSWORD_AUTH="true")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Yield a browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        yield browser
        browser.close()


class Person:
    """A browser with an authenticator, and what its pages complained of."""

    def __init__(self, browser: Browser) -> None:
        self.complaints: list[str] = []
        self.context: BrowserContext = browser.new_context()
        self.context.set_default_timeout(15_000)
        self.page: Page = self.context.new_page()
        self.page.add_init_script(
            "document.addEventListener('securitypolicyviolation',"
            " event => console.error('refused: ' + event.violatedDirective))"
        )
        self.page.on("console", lambda message: self._note(message.type, message.text))
        self.page.on("pageerror", lambda error: self._note("error", str(error)))
        self._devtools: CDPSession = self.context.new_cdp_session(self.page)
        self._devtools.send("WebAuthn.enable", {"enableUI": False})
        added = self._devtools.send(
            "WebAuthn.addVirtualAuthenticator",
            {
                "options": {
                    "protocol": "ctap2",
                    "transport": "internal",
                    "hasResidentKey": True,
                    "hasUserVerification": True,
                    "isUserVerified": True,
                    "automaticPresenceSimulation": True,
                }
            },
        )
        self._authenticator: str = added["authenticatorId"]

    def _note(self, kind: str, text: str) -> None:
        if kind in {"error", "warning"}:
            self.complaints.append(text)

    def tell(self, method: str, **settings: Any) -> None:
        """Set the authenticator."""
        self._devtools.send(
            f"WebAuthn.{method}", {"authenticatorId": self._authenticator, **settings}
        )

    def ignore_autofill(self) -> None:
        """Let pages offer no autofill, which the virtual authenticator answers by itself."""
        self.page.add_init_script(
            "PublicKeyCredential.isConditionalMediationAvailable = async () => false"
        )


@pytest.fixture
def person(browser: Browser) -> Iterator[Person]:
    """Yield somebody with a browser of their own."""
    made = Person(browser)
    yield made
    made.context.close()


def add_passkey(person: Person, site: Server, username: str, name: str = "") -> None:
    """Sign in by bypass and add a passkey on the page of the account."""
    page = person.page
    page.goto(f"{site.url}/auth/bypass?token={username}&next=/account/passkeys")
    before = page.locator(".passkeys li").count()
    page.get_by_label("Name (optional)").fill(name)
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.locator(".passkeys li")).to_have_count(before + 1)


def test_a_passkey_is_added_signs_in_and_is_removed(person: Person, site: Server) -> None:
    page = person.page
    add_passkey(person, site, "admin", "Laptop")
    expect(page.locator(".passkeys li").first).to_contain_text("Laptop")
    expect(page.locator(".passkeys li").first).to_contain_text("never used")
    # The authenticator has one already, and makes no other.
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.get_by_role("alert")).to_contain_text("has a passkey for this account already")
    page.get_by_text("Change Laptop").click()
    page.get_by_label("Name", exact=True).fill("Notebook")
    page.get_by_role("button", name="Rename").click()
    expect(page.locator(".passkeys li").first).to_contain_text("Notebook")
    # The only way in stays.
    page.get_by_text("Change Notebook").click()
    page.get_by_role("button", name="Remove Notebook").click()
    expect(page.get_by_role("alert")).to_contain_text("you could not sign in any more")
    person.context.clear_cookies()
    person.ignore_autofill()
    page.goto(f"{site.url}/auth/login?next=/account/passkeys")
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Passkeys")
    expect(page.locator(".passkeys li").first).to_contain_text("last used")
    expected = ("409 (Conflict)",)
    assert not [each for each in person.complaints if not any(word in each for word in expected)]


def test_the_user_name_field_offers_passkeys(person: Person, site: Server) -> None:
    add_passkey(person, site, "user")
    person.context.clear_cookies()
    page = person.page
    page.goto(f"{site.url}/auth/login")  # the virtual authenticator chooses by itself
    expect(page.get_by_role("heading", level=1)).to_have_text("Signed in as user")
    assert not person.complaints


def test_a_failure_is_shown_and_can_be_repeated(person: Person, site: Server) -> None:
    add_passkey(person, site, "manager")
    person.context.clear_cookies()
    person.ignore_autofill()
    page = person.page
    page.goto(f"{site.url}/auth/login")
    person.tell("setUserVerified", isUserVerified=False)
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("alert")).to_contain_text("No passkey was used")
    person.tell("setUserVerified", isUserVerified=True)
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Signed in as manager")


def test_a_removed_passkey_is_refused_in_words(person: Person, site: Server) -> None:
    add_passkey(person, site, "contributor")
    assert site.cli("user", "disable", "contributor").returncode == 0
    person.context.clear_cookies()
    person.ignore_autofill()
    page = person.page
    page.goto(f"{site.url}/auth/login")
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("alert")).to_contain_text("The passkey is not registered here")
