"""A person in a real Chromium before a real nginx: a deep link leads there through the sign-in."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect, sync_playwright

from tests.browser.test_cookies import CHROMIUM
from tests.support.elsewhere import served
from tests.support.proxies import deployed
from tests.support.proxy_site import Deployment, Received
from tests.support.servers import Start

STORES = ("sqlite",)  # no store has a part in this

DEEP = "/wiki/S%C3%A9ance?q=a%26b&page=2"

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, start: Start) -> Iterator[Deployment]:
    """Yield nginx, Latchkey and an application."""
    with deployed("nginx", tmp_path_factory.mktemp("nginx"), start) as deployment:
        yield deployment


@pytest.fixture
def page(site: Deployment) -> Iterator[Page]:
    """Yield a page of a browser that finds every host of example.org on this machine."""
    site.application.received.clear()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--host-resolver-rules=MAP *.example.org 127.0.0.1"],
        )
        context = browser.new_context(java_script_enabled=False, ignore_https_errors=True)
        context.set_default_timeout(30_000)
        yield context.new_page()
        browser.close()


@pytest.fixture
def other_site(tmp_path: Path, site: Deployment) -> Iterator[str]:
    """Serve a page of another site, with a link to the application; yield its address."""
    (tmp_path / "index.html").write_text(f'<a href="{site.app}{DEEP}">there</a>')
    with served(tmp_path) as address:
        yield address


def sign_in_as(page: Page, username: str) -> None:
    """Choose a demo user on the sign-in page."""
    page.get_by_role("heading", name="Sign in").wait_for()
    page.click(f'a[href*="token={username}&"]')


def reached(site: Deployment) -> list[Received]:
    """Return what the application was asked, but for the icon, which browsers ask for anyway."""
    return [each for each in site.application.received if each.target != "/favicon.ico"]


def lands(page: Page, site: Deployment, username: str) -> None:
    """Assert that the application answers at the deep link, and knows who came."""
    expect(page).to_have_url(site.app + DEEP)
    assert page.inner_text("body") == username
    (seen,) = reached(site)
    assert (seen["Remote-User"], seen.target) == (username, DEEP)


def cookies_of(context: BrowserContext) -> list[tuple[str, str, str]]:
    """Return name, domain and SameSite of each cookie."""
    return [(each["name"], each["domain"], each["sameSite"]) for each in context.cookies()]


def test_a_deep_link_leads_there_through_the_sign_in(page: Page, site: Deployment) -> None:
    page.goto(site.app + DEEP)
    assert page.url.startswith(f"{site.auth}/auth/login?next=")
    sign_in_as(page, "manager")
    lands(page, site, "manager")
    assert cookies_of(page.context) == [("jwt", ".example.org", "Strict")]


def test_a_link_of_another_site_leads_there_through_the_sign_in(
    page: Page, site: Deployment, other_site: str
) -> None:
    page.goto(other_site)
    page.click("a")
    sign_in_as(page, "user")
    lands(page, site, "user")


def test_who_is_signed_in_follows_a_link_of_another_site(
    page: Page, site: Deployment, other_site: str
) -> None:
    page.goto(f"{site.auth}/auth/login")
    sign_in_as(page, "contributor")
    page.goto(other_site)
    page.click("a")
    lands(page, site, "contributor")


def test_signing_out_ends_it_at_the_application_too(page: Page, site: Deployment) -> None:
    page.goto(f"{site.auth}/auth/login")
    sign_in_as(page, "admin")
    page.goto(f"{site.app}/admin/x")
    assert page.inner_text("body") == "admin"
    page.goto(site.auth)
    page.get_by_role("button", name="Sign out").click()
    page.goto(f"{site.app}/admin/x")
    assert page.url.startswith(f"{site.auth}/auth/login?next=")


def test_another_role_is_no_way_to_the_sign_in(page: Page, site: Deployment) -> None:
    page.goto(f"{site.auth}/auth/login")
    sign_in_as(page, "user")
    answer = page.goto(f"{site.app}/admin/x")
    assert answer is not None
    assert (answer.status, page.url) == (403, f"{site.app}/admin/x")
    assert reached(site) == []
