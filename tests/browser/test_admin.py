"""The admin page in a real Chromium: a journey with and without scripts, keyboard, phone."""

import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.browser.test_cookies import CHROMIUM
from tests.support.client import ask, cookie, sign_in
from tests.support.servers import Server, Start

STORES = ("sqlite",)  # no store has a part in this

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")

EXPECTED = ("the server responded with a status of 4",)
"""What Chromium writes to the console for a page with such a status, as some are to have."""

PAGES = (
    "/admin",
    "/admin?q=zzz",
    "/admin?limit=2",
    "/admin?sort=x",
    "/admin/users/new",
    "/admin/users/1",
    "/admin/users/1/accounts",
    "/admin/users/1/delete",
    "/admin/roles",
    "/admin/roles/1/delete",
    "/admin/audit",
    "/admin/audit?user=1&action=role_create",
)


@pytest.fixture(scope="module")
def own(start: Start) -> Server:
    """Return a server of this file's own."""
    return start()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Yield a browser; each person has a context of their own in it."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        yield browser
        browser.close()


class Person:
    """A browser of somebody's own, and what its pages complained of."""

    def __init__(self, browser: Browser, server: Server, *, scripts: bool = True) -> None:
        self.server = server
        self.complaints: list[str] = []
        self.context: BrowserContext = browser.new_context(java_script_enabled=scripts)
        self.context.set_default_timeout(15_000)
        self.page: Page = self.context.new_page()
        if scripts:
            self.page.add_init_script(
                "document.addEventListener('securitypolicyviolation',"
                " event => console.error('refused: ' + event.violatedDirective))"
            )
        self.page.on("console", lambda message: self._note(message.type, message.text))
        self.page.on("pageerror", lambda error: self._note("error", str(error)))

    def _note(self, kind: str, text: str) -> None:
        if kind in {"error", "warning"} and not any(words in text for words in EXPECTED):
            self.complaints.append(text)

    def sign_in(self, username: str) -> Page:
        """Sign in by bypass, as the sign-in page does."""
        self.page.goto(f"{self.server.url}/auth/bypass?token={username}")
        expect(self.page.get_by_role("heading", level=1)).to_have_text(f"Signed in as {username}")
        return self.page


@pytest.fixture
def gone(own: Server) -> Iterator[None]:
    """Delete the users that a test may have left."""
    yield
    for name in ("newcomer", "found-me"):
        own.cli("user", "delete", name, "--yes")


@pytest.mark.usefixtures("gone")
@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_somebody_is_created_let_in_and_thrown_out(
    browser: Browser, own: Server, *, scripts: bool
) -> None:
    first, second = (Person(browser, own, scripts=scripts) for _ in range(2))
    page = first.sign_in("admin")
    page.get_by_role("link", name="Users and roles").click()
    page.get_by_role("link", name="Create a user").first.click()
    page.get_by_label("User name").fill("newcomer")
    page.get_by_label("E-mail").fill("not an address")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_label("E-mail")).to_be_focused()
    expect(page.get_by_label("E-mail")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("User name")).to_have_value("newcomer")
    page.get_by_label("E-mail").fill("new@example.org")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("status")).to_have_text("The user was created.")

    page.get_by_role("checkbox", name="view_documents").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_have_text("The user was saved.")
    expect(page.get_by_role("checkbox", name="view_documents")).to_be_checked()

    theirs = second.sign_in("newcomer")
    assert "view_documents" in theirs.inner_text("main")
    me = f"{own.url}/auth/me"
    assert second.context.request.get(me).status == 200

    page.get_by_role("checkbox", name="Disabled").check()
    clicked = time.perf_counter()
    page.get_by_role("button", name="Save").click(no_wait_after=True)
    while second.context.request.get(me).status == 200:
        assert time.perf_counter() - clicked < 60
    taken = (time.perf_counter() - clicked) * 1000
    print(f"\nrefused {taken:.0f} ms after the click that disabled")  # noqa: T201  # a figure
    theirs.goto(f"{own.url}/auth/me")
    expect(theirs.get_by_role("heading", level=1)).to_have_text("Session revoked")
    expect(page.get_by_role("status")).to_have_text("The user was saved.")

    page.get_by_role("link", name="Delete…").click()
    expect(page.get_by_role("dialog")).to_have_count(int(scripts))
    expect(page.get_by_role("link", name="Cancel").last).to_be_focused()
    page.get_by_role("button", name="Delete newcomer").click()
    expect(page.get_by_role("status").first).to_have_text("The user was deleted.")
    expect(page.get_by_role("link", name="newcomer")).to_have_count(0)
    assert first.complaints == second.complaints == []


def test_the_list_follows_what_is_typed(browser: Browser, own: Server) -> None:
    person = Person(browser, own)
    page = person.sign_in("admin")
    page.goto(f"{own.url}/admin")
    expect(page.locator("#count")).to_have_text("4 users")
    page.get_by_label("Search").press_sequentially("contrib")
    expect(page.locator("#count")).to_have_text("1 user")
    expect(page).to_have_url(f"{own.url}/admin?q=contrib&sort=username")
    expect(page.get_by_label("Search")).to_be_focused()
    page.get_by_label("State").select_option("Disabled")
    expect(page.locator("#count")).to_have_text("No users found")
    page.get_by_role("link", name="Show all users").click()
    expect(page.locator("#count")).to_have_text("4 users")
    page.get_by_label("Role").select_option("manage_users")
    expect(page.locator("#count")).to_have_text("1 user")
    page.get_by_role("link", name="Changed", exact=True).click()
    page.wait_for_url("**/admin?role=manage_users&sort=updated_at")
    assert person.complaints == []


def test_whoever_is_signed_out_meanwhile_is_told_so(browser: Browser, own: Server) -> None:
    person = Person(browser, own)
    page = person.sign_in("admin")
    page.goto(f"{own.url}/admin")
    person.context.clear_cookies()
    page.get_by_label("Search").fill("x")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign-in required")


def test_a_question_is_asked_in_place_and_can_be_left(browser: Browser, own: Server) -> None:
    person = Person(browser, own)
    page = person.sign_in("admin")
    page.goto(f"{own.url}/admin/roles")
    link = page.get_by_role("link", name="Delete… add_documents")
    for leave in ("Escape", "Enter"):
        link.press("Enter")
        dialog = page.get_by_role("dialog", name="Delete the role add_documents?")
        expect(dialog).to_be_visible()
        expect(dialog.get_by_role("link", name="Cancel")).to_be_focused()
        page.keyboard.press(leave)
        expect(dialog).to_have_count(0)
        expect(link).to_be_focused()
        assert page.url == f"{own.url}/admin/roles"
    assert person.complaints == []


@pytest.mark.usefixtures("gone")
def test_what_was_done_is_told_once(browser: Browser, own: Server) -> None:
    page = Person(browser, own).sign_in("admin")
    page.goto(f"{own.url}/admin/users/2?done=user-saved")
    expect(page.get_by_role("status")).to_have_text("The user was saved.")
    page.reload()
    expect(page.get_by_role("status")).to_have_count(0)


@pytest.mark.usefixtures("gone")
@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_everything_can_be_done_by_keyboard(
    browser: Browser, own: Server, *, scripts: bool
) -> None:
    person = Person(browser, own, scripts=scripts)
    page = person.sign_in("admin")
    page.goto(f"{own.url}/admin")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_in_viewport()
    page.keyboard.press("Enter")

    def tab_to(role: str, name: str) -> None:
        """Press Tab until a control has the focus, and see that the focus is seen."""
        wanted = page.get_by_role(role, name=name, exact=True).first  # type: ignore[arg-type]
        for _ in range(80):
            page.keyboard.press("Tab")
            if wanted.evaluate("element => element === document.activeElement"):
                outline = wanted.evaluate("element => getComputedStyle(element).outlineStyle")
                assert outline == "solid"
                return
        raise AssertionError(name)

    tab_to("link", "Create a user")
    page.keyboard.press("Enter")
    page.wait_for_url("**/admin/users/new")
    tab_to("textbox", "User name")
    page.keyboard.type("found-me")
    tab_to("checkbox", "add_documents")
    page.keyboard.press("Space")
    tab_to("button", "Create")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text("The user was created.")
    expect(page.get_by_role("checkbox", name="add_documents")).to_be_checked()
    tab_to("button", "Sign out everywhere")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text("All sessions of this user have ended.")
    tab_to("link", "Delete…")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Cancel").last).to_be_focused()
    page.keyboard.press("Shift+Tab")
    expect(page.get_by_role("button", name="Delete found-me")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").first).to_have_text("The user was deleted.")
    assert person.complaints == []


def test_names_that_look_like_scripts_do_nothing(browser: Browser, own: Server) -> None:
    token = sign_in(own.port)
    name = "<img src=x onerror=alert(1)>\" onmouseover='alert(1)' <script>alert(1)</script>"
    person = Person(browser, own)
    page = person.sign_in("admin")
    page.on("dialog", lambda dialog: person.complaints.append(dialog.message))
    page.goto(f"{own.url}/admin/users/4")
    page.locator("#name").fill(name)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_have_text("The user was saved.")
    expect(page.locator("#name")).to_have_value(name)
    page.locator("#name").hover()
    page.get_by_role("link", name="Delete…").click()
    expect(page.get_by_role("dialog")).to_contain_text(name)
    page.goto(f"{own.url}/admin?q=onerror")
    expect(page.get_by_role("cell", name=name)).to_be_visible()
    page.goto(f"{own.url}/admin/audit")
    expect(page.get_by_role("listitem").filter(has_text="onerror").first).to_contain_text(name)
    assert person.complaints == []
    body = b'{"name": null}'
    headers = {**cookie(token), "Content-Type": "application/json"}
    assert ask(own.port, "/api/v1/users/4", "PATCH", headers=headers, body=body).status == 200


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_no_page_scrolls_sideways_or_complains(
    browser: Browser, own: Server, *, width: int, scripts: bool
) -> None:
    person = Person(browser, own, scripts=scripts)
    page = person.sign_in("admin")
    page.set_viewport_size({"width": width, "height": 700})
    for path in PAGES:
        page.goto(own.url + path)
        ends = page.locator("header, main, main a, main button, main input, main select, main p")
        beyond = ends.evaluate_all(
            """(elements, width) => elements.filter((element) => {
              const box = element.getBoundingClientRect();
              return box.left < 0 || box.right > width;
            }).map((element) => element.outerHTML)""",
            width,
        )
        assert beyond == [], path
    assert person.complaints == []


def test_every_page_has_its_landmarks_and_every_field_its_label(
    browser: Browser, own: Server
) -> None:
    page = Person(browser, own).sign_in("admin")
    for path in PAGES:
        page.goto(own.url + path)
        expect(page.get_by_role("heading", level=1)).to_have_count(1)
        expect(page.get_by_role("main")).to_have_count(1)
        expect(page.get_by_role("navigation", name="Administration")).to_have_count(1)
        expect(page.locator("nav a[aria-current=page]")).to_have_count(1)
        fields = page.locator("input:not([type=hidden]), select")
        assert set(fields.evaluate_all("all => all.map(each => each.labels.length)")) <= {1}, path
        ids = page.locator("[id]").evaluate_all("elements => elements.map(each => each.id)")
        assert len(ids) == len(set(ids)), path
        for words in page.locator("[aria-describedby]").evaluate_all(
            "elements => elements.map(each => each.getAttribute('aria-describedby'))"
        ):
            assert set(words.split()) <= set(ids), path
