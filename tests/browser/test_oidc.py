"""Sign-in by OpenID Connect as people see it: Chromium, https, two sites, a provider of others."""

import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Playwright

from tests.support import openid, sso
from tests.support.client import ask, cookie
from tests.support.openid import World, names, set_out, sign_in
from tests.support.servers import Start
from tests.support.sso import OUR_URL

STORES = ("sqlite",)  # no store has a part in this

pytestmark = sso.needs_browser


@pytest.fixture(scope="module")
def world(
    playwright: Playwright, start: Start, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    with openid.real_world(playwright, tmp_path_factory.mktemp("provider"), start) as made:
        yield made


def test_from_a_deep_link_through_the_form_back_to_the_deep_link(world: World) -> None:
    page = world.newcomer()
    set_out(page)
    world.provider.fill_in(page, "subject-of-user")
    page.wait_for_url(f"{OUR_URL}/auth/me")
    assert '"username":"user"' in page.content()
    assert '"method":"oidc"' in page.content()
    (jwt,) = [each for each in page.context.cookies(OUR_URL) if each["name"] == "jwt"]
    assert (jwt["sameSite"], jwt["secure"], jwt["httpOnly"]) == ("Strict", True, True)
    assert names(page.context) == ["jwt", "latchkey_returns"]


def test_signing_out_signs_out_at_the_provider_too(world: World) -> None:
    page = world.newcomer()
    token = sign_in(world, page, "user")
    page.goto(OUR_URL)
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("button", name="Yes, sign me out").click()
    page.wait_for_url(f"{OUR_URL}/")
    assert page.get_by_role("heading", level=1).inner_text() == "Sign in"
    assert ask(world.server.port, "/auth/me", headers=cookie(token)).code == "token_revoked"
    set_out(page)
    page.wait_for_selector("input[name=login]")


def test_signing_out_at_the_provider_ends_the_session_here_within_a_second(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    page, bystander = world.newcomer(), world.newcomer()
    token, other = sign_in(world, page, "manager"), sign_in(world, bystander, "manager")
    page.goto(f"{world.provider.issuer}/session/end")
    began = time.monotonic()
    page.get_by_role("button", name="Yes, sign me out").click()
    while (answer := ask(world.server.port, "/auth/me", headers=cookie(token))).status == 200:
        assert time.monotonic() - began < 10, world.provider.log.read_text()
        time.sleep(0.005)
    with capsys.disabled():
        print(f"\nback-channel logout: refused after {(time.monotonic() - began) * 1000:.0f} ms")  # noqa: T201  # the figure
    assert answer.code == "token_revoked"
    assert ask(world.server.port, "/auth/me", headers=cookie(other)).status == 200


def test_two_tabs_at_once_do_not_hurt_each_other(world: World) -> None:
    first = world.newcomer()
    second = first.context.new_page()
    set_out(first, "/auth/me")
    second.goto(f"{OUR_URL}/auth/oidc?next=/auth/me%3Fsecond")
    world.provider.fill_in(second, "subject-of-user")
    second.wait_for_url(f"{OUR_URL}/auth/me?second")
    world.provider.fill_in(first, "subject-of-user", agreed=True)
    first.wait_for_url(f"{OUR_URL}/auth/me")
    for page in (first, second):
        assert '"username":"user"' in page.content()
    assert names(first.context) == ["jwt", "latchkey_returns"]


def test_a_disabled_user_is_refused_whatever_the_provider_says(world: World) -> None:
    assert world.server.cli("user", "disable", "contributor").returncode == 0
    page = world.newcomer()
    set_out(page)
    world.provider.fill_in(page, "subject-of-contributor")
    page.wait_for_selector("text=user_unknown")
    assert "jwt" not in names(page.context)
    assert world.server.cli("user", "enable", "contributor").returncode == 0


def test_an_unknown_account_gets_what_to_ask_for(world: World) -> None:
    page = world.newcomer()
    set_out(page)
    world.provider.fill_in(page, "newcomer")
    page.wait_for_selector("text=identity_unknown")
    text = page.inner_text("main")
    assert "oidc" in text
    assert "newcomer" in text
    assert names(page.context) == []
    page.get_by_role("link", name="Try again").click()
    page.wait_for_selector("input[name=login]")  # not the same account at once
    world.provider.fill_in(page, "subject-of-user")
    page.get_by_role("button", name="Continue").click()  # it is another account than before
    page.wait_for_url(f"{OUR_URL}/auth/me")
    assert '"username":"user"' in page.content()


def test_who_lacks_a_role_reaches_another_account(world: World) -> None:
    page = world.newcomer()
    sign_in(world, page, "contributor")
    page.goto(f"{OUR_URL}/admin")
    page.get_by_role("link", name="Use another account").click()
    page.get_by_role("link", name="Sign in with the campus").click()
    page.wait_for_selector("input[name=login]")  # not the same account at once
    world.provider.fill_in(page, "subject-of-user")
    page.get_by_role("button", name="Continue").click()  # it is another account than before
    page.wait_for_url(f"{OUR_URL}/admin")
    assert "You are signed in as user." in page.inner_text("main")


def test_whoever_says_no_gets_a_page_of_ours(world: World) -> None:
    page = world.newcomer()
    set_out(page)
    page.wait_for_selector("input[name=login]")
    page.get_by_role("link", name="Cancel").click()
    page.wait_for_selector("text=sign_in_refused")
    again = page.get_by_role("link", name="Try again")
    again.click()
    page.wait_for_selector("input[name=login]")
