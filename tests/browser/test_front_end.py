"""A front end on another origin, in Chromium: it signs in, reads, changes, saves, signs out."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, sync_playwright

from tests.support.elsewhere import served
from tests.support.servers import Server, Start

STORES = ("sqlite",)  # no store has a part in this

CHROMIUM = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")

CALL = """async ([url, options]) => {
  try {
    const answer = await fetch(url, options);
    const body = await answer.text();
    const names = ['etag', 'link', 'location', 'x-request-id', 'www-authenticate'];
    const headers = Object.fromEntries(names.map((name) => [name, answer.headers.get(name)]));
    return { status: answer.status, body: body && JSON.parse(body), headers };
  } catch (error) {
    return { status: 0, body: `${error}` };
  }
}"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve an empty page; yield its origin, another port of localhost."""
    folder: Path = tmp_path_factory.mktemp("site")
    (folder / "index.html").write_text("<!doctype html><title>Front end</title><h1>Front end</h1>")
    with served(folder) as address:
        yield address.replace("127.0.0.1", "localhost").rstrip("/")


@pytest.fixture(scope="module")
def latchkey(start: Start, site: str) -> Server:
    """Return a server that lists the origin of the front end."""
    return start(CORS_ORIGINS=site, ALLOWED_REDIRECTS=site)


@pytest.fixture
def context() -> Iterator[BrowserContext]:
    """Yield a browser without cookies."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        context = browser.new_context()
        context.set_default_timeout(15_000)
        yield context
        browser.close()


class FrontEnd:
    """A page of the front end, and what its script sends with the cookie."""

    def __init__(self, page: Page, server: Server) -> None:
        self.page, self.server = page, server

    def __call__(self, path: str, method: str = "GET", body: object = None, **more: Any) -> Any:
        """Send a request as a script does, and return what the script can see."""
        options: dict[str, Any] = {"credentials": "include", "method": method, **more}
        if body is not None:
            headers = {"Content-Type": "application/json", **more.get("headers", {})}
            text = self.page.evaluate("JSON.stringify", body)
            options |= {"headers": headers, "body": text}
        return self.page.evaluate(CALL, [self.server.url + path, options])


def test_a_front_end_works_without_special_cases(
    context: BrowserContext, latchkey: Server, site: str
) -> None:
    page = context.new_page()
    page.goto(site)
    app = FrontEnd(page, latchkey)
    nobody = app("/auth/me")
    assert (nobody["status"], nobody["body"]["code"]) == (401, "credentials_missing")
    assert nobody["headers"]["www-authenticate"] == "Bearer"

    # Sign in by navigation, and come back.
    page.goto(f"{latchkey.url}/auth/login?next={site}/")
    page.click('a[href*="token=admin&"]')
    page.wait_for_url(f"{site}/")
    me = app("/auth/me")
    assert (me["status"], me["body"]["username"]) == (200, "admin")

    # Exchange.
    token = app("/auth/token")["body"]["token"]
    bearer = with_bearer(token)
    assert app("/auth/me", **bearer)["body"] == me["body"]

    # Create, list, read.
    roles = {role["role"]: role for role in app("/api/v1/roles")["body"]}
    facts = {"username": "grace", "name": "Grace", "roles": [roles["add_documents"]]}
    made = app("/api/v1/users", "POST", facts)
    assert made["status"] == 201
    path = made["headers"]["location"]
    first = app("/api/v1/users?limit=1")
    assert 'rel="next"' in first["headers"]["link"]
    read = app(path)
    assert (read["status"], read["body"]) == (200, made["body"])

    # Change what was read, and save it: as a whole, in part, with and without an entity tag.
    user = read["body"]
    user["name"] = "Grace Hopper"
    user["roles"].append(roles["manage_documents"])
    saved = app(path, "PUT", user, headers={"If-Match": read["headers"]["etag"]})
    assert saved["status"] == 200
    held = {role["role"] for role in saved["body"]["roles"]}
    assert held == {"manage_documents", "add_documents"}
    late = app(path, "PUT", user, headers={"If-Match": read["headers"]["etag"]})
    assert (late["status"], late["body"]["code"]) == (412, "precondition_failed")
    assert app(path, "PATCH", saved["body"])["body"] == saved["body"]
    assert app(path, "PATCH", {"disabled": True}, **bearer)["status"] == 200
    assert app(path, "DELETE")["status"] == 204
    assert app(path)["body"]["code"] == "user_not_found"

    # Sign out by navigation, and come back.
    page.goto(f"{latchkey.url}/auth/logout?next={site}/")
    page.wait_for_url(f"{site}/")
    assert app("/auth/me")["status"] == 401
    assert app("/auth/me", **bearer)["body"]["code"] == "token_revoked"


def with_bearer(token: str) -> dict[str, Any]:
    """Return the options of a request with a bearer token instead of the cookie."""
    return {"credentials": "omit", "headers": {"Authorization": f"Bearer {token}"}}


def test_an_origin_that_is_not_listed_reads_only_what_is_public(
    context: BrowserContext, latchkey: Server, site: str, tmp_path: Path
) -> None:
    (tmp_path / "index.html").write_text("<!doctype html><h1>Another</h1>")
    page = context.new_page()
    page.goto(f"{latchkey.url}/auth/bypass?token=admin&next=/auth/login")
    page.goto(site)
    assert FrontEnd(page, latchkey)("/auth/me")["body"]["username"] == "admin"
    with served(tmp_path) as address:
        page.goto(address.replace("127.0.0.1", "localhost"))
        other = FrontEnd(page, latchkey)
        for path in ("/auth/me", "/auth/token", "/api/v1/users"):
            assert other(path)["status"] == 0, path
        assert other("/api/v1/users", "POST", {"username": "evil"})["status"] == 0
        assert other("/api/v1/users", "POST", '{"username": "evil"}', mode="no-cors")["status"] == 0
        keys = page.evaluate(
            "async (url) => (await fetch(url, {headers: {'If-None-Match': '\"x\"'}})).status",
            f"{latchkey.url}/.well-known/jwks.json",
        )
        assert keys == 200
        feed = page.evaluate(
            "async (url) => [...(await fetch(url)).headers.keys()]",
            f"{latchkey.url}/auth/revocations",
        )
        assert "etag" in feed
    page.goto(site)
    users = FrontEnd(page, latchkey)("/api/v1/users?limit=200")["body"]
    assert "evil" not in {user["username"] for user in users}
