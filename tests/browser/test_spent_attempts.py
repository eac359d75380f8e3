"""Back, a reload of the callback, many tabs at once: Chromium, https, and real providers."""

import asyncio
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import async_playwright
from playwright.sync_api import Browser, Page, Playwright

from tests.support import openid, sso
from tests.support.environment import free_port
from tests.support.openid import World, cookie_of
from tests.support.servers import Start
from tests.support.sso import CHROMIUM, OUR_NAME, OUR_URL, PASSWORD

STORES = ("sqlite",)  # no store has a part in this

pytestmark = sso.needs_browser

GOAL = "/auth/me?where=deep&what=link"
TABS = 12


@dataclass(frozen=True)
class Site:
    """Latchkey, a provider, and a browser that reaches both."""

    method: str
    browser: Browser
    fill_in: Callable[[Page], None]
    provider: str
    our_port: int

    def sign_in(self, page: Page) -> str:
        """Sign in with a deep link; return the address of the callback."""
        callbacks: list[str] = []
        page.on("request", lambda each: callbacks.extend(_callbacks(each.url)))
        page.goto(f"{OUR_URL}/auth/{self.method}?next={_quoted(GOAL)}")
        self.fill_in(page)
        page.wait_for_url(OUR_URL + GOAL)
        return callbacks[0]


def _callbacks(url: str) -> list[str]:
    """Return the URL if it is a callback with an answer."""
    is_answer = url.startswith(OUR_URL) and re.search(r"[?&](code|ticket)=", url)
    return [url] if is_answer else []


def _quoted(goal: str) -> str:
    return goal.replace("?", "%3F").replace("&", "%26").replace("=", "%3D")


@contextmanager
def openid_site(playwright: Playwright, start: Start, folder: Path) -> Iterator[Site]:
    with openid.real_world(playwright, folder, start, SIGN_IN_REDIRECT="true") as world:
        yield Site("oidc", world.browser, _agree(world), world.provider.issuer, world.our_port)


def _agree(world: World) -> Callable[[Page], None]:
    return lambda page: world.provider.fill_in(page, "subject-of-user")


@contextmanager
def cas_site(playwright: Playwright, start: Start, folder: Path) -> Iterator[Site]:
    authority, port = sso.make_authority(folder), free_port()
    with (
        sso.tls_in_front(authority, port) as our_port,
        sso.real_cas(folder, authority, our_port) as cas,
        sso.browser(playwright, our_port) as browser,
    ):
        start(
            PORT=str(port),
            PUBLIC_URL=OUR_URL,
            BYPASS_AUTH="false",
            CAS_URL=cas,
            CAS_TRUST_USERNAMES="true",
            SIGN_IN_REDIRECT="true",
            SSL_CERT_FILE=str(authority.ca),
        )
        yield Site("cas", browser, _fill_in_cas, cas, our_port)


def _fill_in_cas(page: Page) -> None:
    page.wait_for_selector("input[name=username]")
    page.fill("input[name=username]", "user")
    page.fill("input[name=password]", PASSWORD)
    page.click("button[type=submit]")


@pytest.fixture(scope="module", params=[openid_site, cas_site], ids=["oidc", "cas"])
def site(
    request: pytest.FixtureRequest,
    playwright: Playwright,
    start: Start,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Site]:
    with request.param(playwright, start, tmp_path_factory.mktemp("site")) as made:
        yield made


@pytest.fixture
def page(site: Site) -> Iterator[Page]:
    context = sso.visitor(site.browser)
    yield context.new_page()
    context.close()


def assert_landed(page: Page, goal: str = GOAL) -> None:
    """Assert that a page ends where it was wanted, signed in."""
    page.wait_for_url(OUR_URL + goal)
    assert '"username":"user"' in page.content()


def test_back_after_the_sign_in_ends_on_the_wanted_page(site: Site, page: Page) -> None:
    page.goto("about:blank")
    site.sign_in(page)
    session = cookie_of(page)
    page.go_back()
    if page.url.startswith(site.provider):  # its form, or what it makes of a second visit
        page.goto(page.url)
    if not page.url.startswith(site.provider) and page.url != "about:blank":
        assert_landed(page)
    page.goto(OUR_URL + GOAL)
    assert_landed(page)
    assert cookie_of(page) == session


def test_the_callback_from_the_history_ends_on_the_wanted_page(site: Site, page: Page) -> None:
    callback = site.sign_in(page)
    session = cookie_of(page)
    page.goto(callback)
    assert_landed(page)
    page.reload()
    assert_landed(page)
    page.go_back()
    assert_landed(page)
    assert cookie_of(page) == session


def test_a_callback_that_another_site_leads_to_ends_on_the_wanted_page(
    site: Site, page: Page
) -> None:
    """The browser withholds the `Strict` cookie then, as after the redirect of a provider."""
    callback = site.sign_in(page)
    elsewhere = page.context.new_page()
    elsewhere.route(
        "https://elsewhere.test/",
        lambda route: route.fulfill(
            content_type="text/html", body=f'<a href="{callback.replace("&", "&amp;")}">go</a>'
        ),
    )
    elsewhere.goto("https://elsewhere.test/")
    elsewhere.click("a")
    assert_landed(elsewhere)


def test_a_callback_without_a_session_offers_the_deep_link(site: Site, page: Page) -> None:
    callback = site.sign_in(page)
    page.context.clear_cookies(domain=OUR_NAME)
    page.goto(callback)
    assert "attempt_unknown" in page.inner_text("main")
    page.get_by_role("link", name="Try again").click()
    assert_landed(page)


def test_twelve_tabs_at_once_all_end_on_the_wanted_pages(site: Site, page: Page) -> None:
    """The provider has a session, Latchkey has none: as in the morning after."""
    site.sign_in(page)
    page.context.clear_cookies(domain=OUR_NAME)
    state = page.context.storage_state()
    found = in_thread(restored(state, site.our_port))
    assert [url for url, _ in found] == [f"{OUR_URL}/auth/me?tab={n}" for n in range(TABS)]
    assert all('"username":"user"' in text for _, text in found)


async def restored(state: Any, our_port: int) -> list[tuple[str, str]]:
    """Load tabs at the same time in a browser with these cookies; return where they end."""
    rules = f"--host-resolver-rules=MAP {OUR_NAME}:443 127.0.0.1:{our_port}"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=[rules, "--ignore-certificate-errors"]
        )
        context = await browser.new_context(
            ignore_https_errors=True, java_script_enabled=False, storage_state=state
        )
        pages = [await context.new_page() for _ in range(TABS)]

        async def load(number: int) -> tuple[str, str]:
            goal = f"/auth/me?tab={number}"
            await pages[number].goto(f"{OUR_URL}/auth/login?next={_quoted(goal)}")
            await pages[number].wait_for_url(OUR_URL + goal)
            return pages[number].url, await pages[number].content()

        found = await asyncio.gather(*(load(number) for number in range(TABS)))
        await browser.close()
        return found


def in_thread(work: Any) -> list[tuple[str, str]]:
    """Run a coroutine in a thread of its own, as this one already runs a loop of Playwright's."""
    results: list[list[tuple[str, str]]] = []
    thread = threading.Thread(target=lambda: results.append(asyncio.run(work)))
    thread.start()
    thread.join()
    return results[0]
