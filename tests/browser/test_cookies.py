"""What only a browser shows: the cookie it stores, sends and withholds, in a real Chromium."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, sync_playwright

from tests.support.elsewhere import served
from tests.support.servers import Server

STORES = ("sqlite",)  # no store has a part in this

CHROMIUM = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")


@pytest.fixture
def context() -> Iterator[BrowserContext]:
    """Yield a browser without scripts, cookies or memories."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        context = browser.new_context(java_script_enabled=False)
        context.set_default_timeout(15_000)
        yield context
        browser.close()


@pytest.fixture
def other_site(tmp_path: Path, server: Server) -> Iterator[str]:
    """Serve a page of another site, with links to ours; yield its address."""
    (tmp_path / "index.html").write_text(
        f'<a id="in" href="{server.url}/auth/bypass?token=manager&next=/auth/login">in</a>'
        f'<a id="out" href="{server.url}/auth/logout">out</a>'
        f'<a id="on" href="{server.url}/auth/login?next=/auth/%256cogout%3Feverywhere=true">on</a>'
        f'<a id="as" href="{server.url}/auth/login?next=/auth/bypass%3Ftoken=admin">as</a>'
        f'<form method="post" action="{server.url}/auth/logout"><button>out</button></form>'
    )
    with served(tmp_path) as address:
        yield address


def sign_in(page: Page, server: Server, username: str) -> None:
    """Click a demo user on the home page."""
    page.goto(server.url)
    page.click(f'a[href*="token={username}&"]')


def test_one_click_signs_in_and_one_click_signs_out(
    context: BrowserContext, server: Server
) -> None:
    page = context.new_page()
    sign_in(page, server, "contributor")
    assert page.url == f"{server.url}/"
    assert page.get_by_role("heading", level=1).inner_text() == "Signed in as contributor"
    (cookie,) = context.cookies()
    assert (cookie["name"], cookie["path"], cookie["domain"]) == ("jwt", "/", "localhost")
    assert (cookie["httpOnly"], cookie["secure"], cookie["sameSite"]) == (True, True, "Strict")
    page.get_by_role("button", name="Sign out").click()
    assert page.get_by_role("heading", level=1).inner_text() == "Sign in"
    assert context.cookies() == []


def test_a_sign_in_from_another_site_lands_signed_in(
    context: BrowserContext, server: Server, other_site: str
) -> None:
    page = context.new_page()
    page.goto(other_site)
    page.click("#in")
    page.wait_for_url(f"{server.url}/auth/login")
    assert "You are signed in as manager" in page.inner_text("main")


def test_another_site_cannot_sign_anybody_out(
    context: BrowserContext, server: Server, other_site: str
) -> None:
    page = context.new_page()
    sign_in(page, server, "user")
    page.goto(other_site)
    page.click("#out")
    assert page.get_by_role("heading", level=1).inner_text() == "Sign out?"
    for link in ("#on", "#as"):
        page.goto(other_site)
        page.click(link)
        page.wait_for_selector("text=You are signed in as user")
    page.goto(other_site)
    page.click("form button")
    assert "Cross-site request" in page.inner_text("main")
    page.goto(server.url)
    assert page.get_by_role("heading", level=1).inner_text() == "Signed in as user"


def test_pages_can_be_used_by_keyboard_alone(context: BrowserContext, server: Server) -> None:
    page = context.new_page()
    page.goto(server.url)
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=Signed in as admin")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector("h1:text('Sign in')")


@pytest.mark.parametrize("width", [320, 1200])
def test_no_page_scrolls_sideways(context: BrowserContext, server: Server, width: int) -> None:
    page = context.new_page()
    page.set_viewport_size({"width": width, "height": 700})
    for path in ("/", "/auth/me", "/auth/bypass?token=admin", "/auth/login"):
        page.goto(server.url + path)
        body = page.locator("main").bounding_box()
        assert body is not None
        assert body["x"] >= 0
        assert body["x"] + body["width"] <= width
