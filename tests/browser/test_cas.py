"""Sign-in by CAS as people see it: Chromium, https, two sites, and a CAS server of others."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright

from tests.support import sso
from tests.support.client import ask, bearer
from tests.support.environment import free_port
from tests.support.keyfiles import within
from tests.support.servers import Server, Start
from tests.support.sso import OUR_NAME, OUR_URL, PASSWORD, Authority

STORES = ("sqlite",)  # no store has a part in this

pytestmark = sso.needs_browser


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


@contextmanager
def made(
    playwright: Playwright, authority: Authority, start: Start, folder: Path, **settings: str
) -> Iterator[World]:
    """Make a world of its own."""
    port = free_port()
    with (
        sso.tls_in_front(authority, port) as our_port,
        sso.real_cas(folder, authority, our_port) as cas,
        sso.browser(playwright, our_port) as browser,
    ):
        server = start(
            PORT=str(port),
            PUBLIC_URL=OUR_URL,
            BYPASS_AUTH="false",
            CAS_URL=cas,
            SSL_CERT_FILE=str(authority.ca),
            **settings,
        )
        yield World(server, cas, browser)


@pytest.fixture(scope="module")
def world(
    playwright: Playwright,
    authority: Authority,
    start: Start,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("cas")
    with made(playwright, authority, start, folder, CAS_TRUST_USERNAMES="true") as world:
        yield world


@pytest.fixture
def provisioning(
    playwright: Playwright, authority: Authority, start: Start, tmp_path: Path
) -> Iterator[World]:
    """Yield a world where a name is no claim, and somebody new is created."""
    settings = {"PROVISION_USERS": "true", "CAS_VERSION": "2.0"}
    with made(playwright, authority, start, tmp_path, **settings) as world:
        yield world


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


def test_signing_out_signs_out_at_the_provider_too(world: World) -> None:
    page = world.newcomer()
    set_out(page)
    fill_in(page, "user")
    page.wait_for_url(f"{OUR_URL}/auth/me")
    page.goto(OUR_URL)
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(re.compile(f"{world.cas}/logout|{OUR_URL}/$"))
    assert [name for name in names(page.context) if name == "jwt"] == []
    set_out(page)
    page.wait_for_selector("input[name=password]")  # the CAS server does not know us any more
    assert page.url.startswith(f"{world.cas}/login")


def test_single_logout_at_the_provider_ends_the_session_here_within_a_second(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    page = world.newcomer()
    set_out(page)
    fill_in(page, "manager")
    page.wait_for_url(f"{OUR_URL}/auth/me")
    token = cookie_of(page)
    assert ask(world.server.port, "/auth/me", headers=bearer(token)).status == 200
    began = time.monotonic()
    page.goto(f"{world.cas}/logout")
    within(10, lambda: ask(world.server.port, "/auth/me", headers=bearer(token)).status == 401)
    with capsys.disabled():
        print(f"\nsingle logout: refused after {(time.monotonic() - began) * 1000:.0f} ms")  # noqa: T201  # the figure
    assert ask(world.server.port, "/auth/me", headers=bearer(token)).code == "token_revoked"
    page.goto(f"{OUR_URL}/auth/me")
    assert "Session revoked" in page.inner_text("main")


def test_who_is_known_there_already_is_asked_nothing(world: World) -> None:
    page = world.newcomer()
    set_out(page)
    fill_in(page, "user")
    page.wait_for_url(f"{OUR_URL}/auth/me")
    page.context.clear_cookies(name="jwt")
    set_out(page, "/auth/token")
    page.wait_for_url(f"{OUR_URL}/auth/token")
    assert '"token_type":"Bearer"' in page.content()


def test_two_tabs_at_once_each_end_on_their_own_page(world: World) -> None:
    one = world.newcomer()
    two = one.context.new_page()
    set_out(one, "/auth/me")
    set_out(two, "/auth/token")
    fill_in(one, "contributor")
    one.wait_for_url(f"{OUR_URL}/auth/me")
    two.reload()  # signed in there by now: the CAS server goes on by itself
    two.wait_for_url(f"{OUR_URL}/auth/token")
    assert '"token_type":"Bearer"' in two.content()
    assert '"username":"contributor"' in one.content()


def test_a_callback_is_good_once(world: World) -> None:
    page = world.newcomer()
    callbacks: list[str] = []
    page.on(
        "request",
        lambda request: callbacks.append(request.url) if "ticket=" in request.url else None,
    )
    set_out(page)
    kept = [each for each in page.context.cookies() if each["name"].startswith("latchkey_cas")]
    fill_in(page, "user")
    page.wait_for_url(f"{OUR_URL}/auth/me")
    (callback,) = callbacks
    page.goto(callback)
    assert page.url == f"{OUR_URL}/auth/me"
    page.context.clear_cookies(name="jwt")
    page.goto(callback)
    assert "Sign-in attempt not found" in page.inner_text("main")
    page.context.add_cookies(
        [
            {"name": each["name"], "value": each["value"], "url": f"{OUR_URL}/auth/cas"}
            for each in kept
        ]
    )
    page.goto(callback)
    assert "attempt_unknown" in page.inner_text("main")
    assert "INVALID_TICKET" not in world.server.log(
        until="answer_used"
    )  # the provider is not asked
    assert "ST-" not in world.server.log()


def test_a_disabled_user_is_refused_though_the_provider_knows_them(world: World) -> None:
    page = world.newcomer()
    assert world.server.cli("user", "disable", "contributor").returncode == 0
    try:
        set_out(page)
        fill_in(page, "contributor")
        page.wait_for_selector("h1:text('Unknown or disabled user')")
        assert "jwt" not in names(page.context)
        assert "user_unknown" in page.inner_text("main")
    finally:
        assert world.server.cli("user", "enable", "contributor").returncode == 0
    page.get_by_role("link", name="Try again").click()
    page.wait_for_url(f"{OUR_URL}/auth/me")


def test_somebody_new_is_refused_until_linked_and_once_unlinked_again(world: World) -> None:
    page = world.newcomer()
    set_out(page)
    fill_in(page, "Newcomer")
    page.wait_for_selector("h1:text('This account is not linked to a user')")
    assert page.locator("dd code").all_inner_texts()[:2] == ["cas", "newcomer"]
    assert "jwt" not in names(page.context)
    linked = world.server.cli("user", "link", "user", "cas", "newcomer")
    assert linked.returncode == 0, linked.stderr
    page.get_by_role("link", name="Try again").click()
    fill_in(page, "Newcomer")  # it asks again, as it could be another account
    page.wait_for_url(f"{OUR_URL}/auth/me")
    assert '"username":"user"' in page.content()
    assert world.server.cli("user", "unlink", "user", "cas", "newcomer").returncode == 0
    deadline = time.monotonic() + 2  # the server hears of the command within a second
    while '"username"' in page.content() and time.monotonic() < deadline:
        page.reload()
    assert "Session revoked" in page.inner_text("main")


def test_who_lacks_a_role_reaches_another_account(world: World) -> None:
    page = world.newcomer()
    set_out(page)
    fill_in(page, "user")
    page.wait_for_url(f"{OUR_URL}/auth/me")
    page.goto(f"{OUR_URL}/admin")
    page.get_by_role("link", name="Use another account").click()
    page.get_by_role("link", name="Sign in with CAS").click()
    fill_in(page, "manager")  # not the same account at once
    page.wait_for_url(f"{OUR_URL}/admin")
    assert "You are signed in as manager." in page.inner_text("main")


def test_with_provisioning_somebody_new_is_created(provisioning: World) -> None:
    page = provisioning.newcomer()
    set_out(page)
    fill_in(page, "Newcomer")
    page.wait_for_url(f"{OUR_URL}/auth/me")
    assert '"username":"newcomer"' in page.content()


def test_a_browser_that_keeps_no_session_is_told_why(world: World) -> None:
    page = world.newcomer()
    set_out(page)
    fill_in(page, "user")
    for _ in range(2):
        page.wait_for_url(f"{OUR_URL}/auth/me")
        page.context.clear_cookies(name="jwt")
        page.goto(f"{OUR_URL}/auth/cas?next=/auth/me")
    page.wait_for_url(f"{OUR_URL}/auth/me")
    page.context.clear_cookies(name="jwt")
    page.goto(f"{OUR_URL}/auth/cas?next=/auth/me")
    assert page.url == f"{OUR_URL}/auth/cas?next=/auth/me"
    assert "does not store the session cookie" in page.inner_text("main")
    assert "Safari" in page.inner_text("main")
