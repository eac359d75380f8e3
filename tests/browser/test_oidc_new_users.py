"""People whom only the provider knows, with PROVISION_USERS=true: in Chromium, over https."""

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import Playwright

from tests.support import openid, sso
from tests.support.openid import World, names, set_out, sign_in
from tests.support.servers import Start

STORES = ("sqlite",)  # no store has a part in this

pytestmark = sso.needs_browser


@pytest.fixture(scope="module")
def world(
    playwright: Playwright, start: Start, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("provider")
    with openid.real_world(playwright, folder, start, PROVISION_USERS="true") as made:
        yield made


def found(world: World, username: str) -> list[dict[str, str]]:
    """Return the users of a name, as the command line shows them."""
    listed = json.loads(world.server.cli("user", "list", "--json").stdout)
    return [user for user in listed if user["username"] == username]


def test_an_unknown_account_becomes_a_user(world: World) -> None:
    sign_in(world, world.newcomer(), "newcomer")
    (shown,) = found(world, "newcomer")
    assert shown["name"] == "The subject-of-newcomer"
    assert shown["email"] == "subject-of-newcomer@example.org"
    sign_in(world, world.newcomer(), "newcomer")
    assert found(world, "newcomer") == [shown]


def test_nobody_takes_a_user_over_by_a_name(world: World) -> None:
    page = world.newcomer()
    set_out(page)
    world.provider.fill_in(page, "subject-of-admin")
    page.wait_for_selector("text=username_taken")
    assert "subject-of-admin" in page.inner_text("main")
    assert names(page.context) == []
