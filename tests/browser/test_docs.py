"""`/docs` in a real Chromium: renders, asks no other site, obeys its policy, can be tried out."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, Request, sync_playwright

from tests.browser.test_cookies import CHROMIUM
from tests.support.client import ask, cookie, sign_in
from tests.support.description import operations
from tests.support.servers import Server

STORES = ("sqlite",)  # no store has a part in this

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")


@pytest.fixture
def context() -> Iterator[BrowserContext]:
    """Yield a browser without memories."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        context = browser.new_context()
        context.set_default_timeout(15_000)
        yield context
        browser.close()


class Watched:
    """A page, with what it complained of and whom it asked."""

    def __init__(self, context: BrowserContext) -> None:
        self.complaints: list[str] = []
        self.asked: list[Request] = []
        self.page: Page = context.new_page()
        self.page.add_init_script(
            "document.addEventListener('securitypolicyviolation',"
            " event => console.error('refused: ' + event.violatedDirective))"
        )
        self.page.on("console", lambda message: self._note(message.type, message.text))
        self.page.on("pageerror", lambda error: self._note("error", str(error)))
        self.page.on("request", self._note_request)

    def _note_request(self, request: Request) -> None:
        self.asked.append(request)

    def _note(self, kind: str, text: str) -> None:
        if kind in {"error", "warning"}:
            self.complaints.append(text)


def test_every_operation_is_shown_and_no_other_site_is_asked(
    context: BrowserContext, server: Server
) -> None:
    watched = Watched(context)
    page = watched.page
    page.goto(f"{server.url}/docs")
    page.wait_for_selector(".opblock")
    described = operations(ask(server.port, "/openapi.json").json)
    shown = zip(
        page.locator(".opblock-summary-method").all_inner_texts(),
        page.locator(".opblock-summary-path").all_inner_texts(),
        strict=True,
    )
    plain = {(method, path.replace("\u200b", "")) for method, path in shown}
    assert plain == described.keys()
    page.locator("#operations-Account-me .opblock-summary-control").click()
    page.wait_for_selector("#operations-Account-me .responses-table")
    assert watched.complaints == []
    own = (f"{server.url}/", "data:")
    assert all(request.url.startswith(own) for request in watched.asked)


def test_a_bearer_token_can_be_tried_out(context: BrowserContext, server: Server) -> None:
    token = ask(server.port, "/auth/token", headers=cookie(sign_in(server.port))).json["token"]
    watched = Watched(context)
    page = watched.page
    page.goto(f"{server.url}/docs")
    page.click("button.authorize")
    page.fill("#auth-bearer-value", token)
    page.locator(".auth-container", has_text="bearer").get_by_role("button", name="Apply").click()
    page.locator(".auth-btn-wrapper .btn-done").first.click()
    page.locator("#operations-Account-me .opblock-summary-control").click()
    page.click("#operations-Account-me .try-out__btn")
    page.click("#operations-Account-me .execute")
    live = page.locator("#operations-Account-me .live-responses-table .response")
    live.wait_for()
    assert live.locator(".response-col_status").inner_text().startswith("200")
    assert '"username": "admin"' in live.inner_text()
    (asked,) = [request for request in watched.asked if request.url.endswith("/auth/me")]
    assert asked.headers["authorization"] == f"Bearer {token}"
    assert watched.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_dark_where_people_want_it_dark(
    context: BrowserContext, server: Server, scheme: str
) -> None:
    page = context.new_page()
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(f"{server.url}/docs")
    page.wait_for_selector(".opblock")
    assert page.locator("html.dark-mode").count() == (scheme == "dark")


def test_it_fits_a_phone(context: BrowserContext, server: Server) -> None:
    page = context.new_page()
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(f"{server.url}/docs")
    page.wait_for_selector(".opblock")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
