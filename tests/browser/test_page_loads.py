"""What a page of a sibling host can make a real Chromium do to a session: nothing, without a click.

The hosts are `auth.site.localhost` and `app.site.localhost`: one site, on which browsers send the
`Strict` cookie along.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

from tests.browser.test_cookies import CHROMIUM
from tests.support.client import ask, bearer
from tests.support.elsewhere import served
from tests.support.servers import Server

STORES = ("sqlite",)  # no store has a part in this

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")

LOADS = {
    "an image": "const it = new Image(); it.onerror = it.onload = done; it.src = url",
    "a frame": (
        "const it = document.createElement('iframe'); it.onload = done; it.src = url;"
        " document.body.append(it)"
    ),
    "an object": (
        "const it = document.createElement('object'); it.onerror = it.onload = done;"
        " it.data = url; document.body.append(it)"
    ),
    "a script": (
        "const it = document.createElement('script'); it.onerror = it.onload = done; it.src = url;"
        " document.body.append(it)"
    ),
    "a request that cannot read the answer": (
        "fetch(url, {mode: 'no-cors', credentials: 'include'}).then(done, done)"
    ),
    "a request": "fetch(url, {credentials: 'include'}).then(done, done)",
    "a prefetch": (
        "const it = document.createElement('link'); it.rel = 'prefetch'; it.onerror = it.onload ="
        " done; it.href = url; document.head.append(it)"
    ),
}


@pytest.fixture
def page() -> Iterator[Page]:
    """Yield a page of a browser that knows nothing yet."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        page = browser.new_context().new_page()
        page.set_default_timeout(15_000)
        yield page
        browser.close()


@pytest.fixture
def sibling(tmp_path: Path, server: Server) -> Iterator[str]:
    """Serve a page of a sibling host, with a link to ours; yield its address."""
    (tmp_path / "index.html").write_text(
        f'<body><a href="{auth(server)}/auth/logout">Sign out</a></body>'
    )
    with served(tmp_path) as address:
        yield address.replace("127.0.0.1", "app.site.localhost")


def auth(server: Server) -> str:
    return f"http://auth.site.localhost:{server.port}"


def signed_in(page: Page, server: Server) -> str:
    """Sign in, and return the token of the cookie."""
    page.goto(f"{auth(server)}/auth/bypass?token=user")
    (cookie,) = page.context.cookies(auth(server))
    return str(cookie.get("value"))


def is_alive(server: Server, token: str) -> bool:
    return ask(server.port, "/auth/me", headers=bearer(token)).status == 200


def script(how: str) -> str:
    """Return a function of an address, whose promise is kept when that has been loaded."""
    return f"url => new Promise(resolve => {{ const done = () => resolve(); {how} }})"


def load(page: Page, how: str, url: str) -> None:
    """Load an address in a page, and wait until it has been answered."""
    with page.expect_request(url):
        page.evaluate(script(how), url)


def test_a_sibling_host_signs_nobody_out_without_a_click(
    page: Page, server: Server, sibling: str
) -> None:
    token = signed_in(page, server)
    page.goto(sibling)
    for name, how in LOADS.items():
        for query in ("", "&everywhere=true"):
            load(page, how, f"{auth(server)}/auth/logout?by={name.replace(' ', '-')}{query}")
            assert is_alive(server, token), name
    with page.expect_popup() as opened:
        page.evaluate("url => { window.open(url) }", f"{auth(server)}/auth/logout?everywhere=true")
    opened.value.wait_for_selector("h1:text('Sign out everywhere?')")
    assert is_alive(server, token)


def test_a_link_of_a_sibling_host_signs_out_and_the_button_everywhere(
    page: Page, server: Server, sibling: str
) -> None:
    token = signed_in(page, server)
    page.goto(sibling)
    page.click("a")
    page.wait_for_selector("h1:text('Sign in')")
    assert not is_alive(server, token)
    tokens = [signed_in(page, server), signed_in(page, server)]
    page.goto(f"{auth(server)}/auth/logout?everywhere=true")
    page.get_by_role("button", name="Sign out everywhere").click()
    page.wait_for_selector("h1:text('Sign in')")
    assert not any(is_alive(server, each) for each in tokens)


def test_a_sibling_host_signs_nobody_in_behind_its_page(
    page: Page, server: Server, sibling: str
) -> None:
    page.goto(sibling)
    for name in LOADS.keys() - {"a request"}:
        url = f"{auth(server)}/auth/bypass?token=admin&by={name.replace(' ', '-')}"
        with page.expect_request(url):
            page.evaluate(script(LOADS[name]), url)
    assert page.context.cookies(auth(server)) == []
    by_fetch = script(LOADS["a request"])
    page.evaluate(by_fetch, f"{auth(server)}/auth/bypass?token=user")
    assert page.context.cookies(auth(server)) != [], "front ends of developers sign in this way"
