"""Sign-in by CAS as people see it: Chromium, https, two sites, and a CAS server of others."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests import sso
from tests.conftest import Server, Start, free_port
from tests.sso import OUR_NAME, OUR_URL, PASSWORD, Authority

pytestmark = sso.needs_browser

USERNAMES = ("user", "manager", "contributor", "Newcomer")


@dataclass(frozen=True)
class World:
    """Latchkey, the CAS server, and a browser that reaches both."""

    server: Server
    cas: str
    browser: Browser

    def newcomer(self) -> Page:
        """Return a page of a browser without memories."""
        return sso.visitor(self.browser).new_page()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return sso.make_authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def world(
    authority: Authority, start: Start, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    folder, port = tmp_path_factory.mktemp("cas"), free_port()
    with (
        sso.tls_in_front(authority, port) as our_port,
        sso.real_cas(folder, authority, our_port) as cas,
        sso.browser(our_port) as browser,
    ):
        server = start(
            PORT=str(port),
            PUBLIC_URL=OUR_URL,
            BYPASS_AUTH="false",
            CAS_URL=cas,
            CAS_TRUST_USERNAMES="true",
            SSL_CERT_FILE=str(authority.ca),
        )
        yield World(server, cas, browser)


def set_out(page: Page, path: str = "/auth/me") -> None:
    """Come to a page that is closed, and choose CAS."""
    page.goto(OUR_URL + path)
    page.get_by_role("link", name="Sign in").click()
    page.get_by_role("link", name="Sign in with CAS").click()


def fill_in(page: Page, username: str) -> None:
    """Fill in the CAS server's form."""
    page.wait_for_selector("input[name=username]")
    page.fill("input[name=username]", username)
    page.fill("input[name=password]", PASSWORD)
    page.click("button[type=submit]")


def cookie_of(page: Page) -> str:
    """Return our session's cookie in a page's browser."""
    (value,) = [each["value"] for each in page.context.cookies(OUR_URL) if each["name"] == "jwt"]
    return value


def names(context: BrowserContext) -> list[str]:
    """Return the names of the cookies that Latchkey left."""
    return sorted(each["name"] for each in context.cookies() if OUR_NAME in each["domain"])


def test_from_a_deep_link_through_the_form_back_to_the_deep_link(world: World) -> None:
    page = world.newcomer()
    set_out(page)
    assert page.url.startswith(f"{world.cas}/login?service=https%3A%2F%2F{OUR_NAME}%2Fauth%2Fcas")
    fill_in(page, "user")
    page.wait_for_url(f"{OUR_URL}/auth/me")
    assert '"username":"user"' in page.content()
    assert '"method":"cas"' in page.content()
    (jwt,) = [each for each in page.context.cookies(OUR_URL) if each["name"] == "jwt"]
    assert (jwt["sameSite"], jwt["secure"], jwt["httpOnly"]) == ("Strict", True, True)
    assert names(page.context) == ["jwt", "latchkey_returns"]
