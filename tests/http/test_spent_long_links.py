"""Long links after Back, a reload or in many tabs: they are led to, or the page says so."""

import random
import string
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.http.test_spent_attempts import (
    LINK,
    Jar,
    Start_,
    again_link,
    campus,
    method,
    server,
    set_out,
)
from tests.support.client import BROWSER
from tests.support.openid_sign_in import evil
from tests.support.servers import Server

__all__ = ["campus", "evil", "method", "server", "set_out"]

STORES = ("sqlite",)  # no store has a part in this
SAME = {**BROWSER, "Sec-Fetch-Site": "same-origin"}
WORDS = "&".join(f"filter.{n}=department%3Asales%20region%3Anorth" for n in range(30))
_CHOOSE = random.Random(7)  # noqa: S311  # for texts that cannot be compressed
RANDOM = "".join(_CHOOSE.choices(string.ascii_letters + string.digits, k=3000))
LOST = "/auth/login?too_long=1"


@pytest.mark.parametrize("goal", [f"/deep?{WORDS}", f"/{'z' * 7900}", f"/a?b={RANDOM[:600]}"])
def test_a_long_link_is_still_known_when_the_attempt_is_spent(
    server: Server, set_out: Start_, goal: str
) -> None:
    tab = set_out(Jar(server), goal)
    assert len(urlsplit(tab.callback).query) < 1300
    assert tab.back()["Location"] == goal
    assert tab.back()["Location"] == goal
    tab.jar.cookies.clear()
    (found,) = parse_qs(urlsplit(again_link(tab.back(**BROWSER))).query)["next"]
    assert found == goal


def test_a_link_that_is_too_long_to_be_known_is_named(
    server: Server, set_out: Start_, method: str
) -> None:
    tab = set_out(Jar(server), f"/a?b={RANDOM}")
    assert tab.back()["Location"] == f"/a?b={RANDOM}"
    again = tab.back()
    assert (again.status, again["Location"]) == (302, LOST)
    page = tab.jar.get(LOST, **SAME)
    assert "too long to come back to. You are signed in: open it again." in page.text
    tab.jar.cookies.clear()
    link = again_link(tab.back(**BROWSER))
    assert link.startswith(LINK[method])
    assert parse_qs(urlsplit(link).query)["next"] == [LOST]
    started = tab.jar.get(link)
    assert started.status == 302


def test_many_tabs_with_long_links_all_end_signed_in(
    server: Server, set_out: Start_, method: str
) -> None:
    jar = Jar(server)
    goals = [f"/a?tab={n}&b={RANDOM}" for n in range(8)]
    tabs = [set_out(jar, goal) for goal in goals]
    anew = f"{LINK[method]}?next=%2Fauth%2Flogin%3Ftoo_long%3D1"
    for tab, goal in zip(tabs, goals, strict=True):
        assert tab.back()["Location"] in {goal, LOST, anew}
