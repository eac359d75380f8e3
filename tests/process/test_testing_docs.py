"""The code of docs/testing.md, run as it stands there, and the hint of a 401 that leads to it."""

import importlib.util
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import sync_playwright

from service import errors
from tests.support.client import ask
from tests.support.environment import STRONG
from tests.support.servers import Running, Server
from tests.support.snippets import blocks
from tests.support.stores import Store

STORES = ("sqlite",)
IN_THREADS = True
PAGE = "docs/testing.md"
HINT = "set COOKIE_SECURE=false"
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
CODE = {
    name: code
    for code in blocks(PAGE, "python")
    for name in ("requests", "httpx", "aiohttp", "page")
    if f"import {name}\n" in code or f"({name}, " in code
    if "Bearer" in code or name == "page"
}
WITH_COOKIE = [code for code in blocks(PAGE, "python") if code not in CODE.values()]
INSTALLED = [name for name in ("requests", "httpx", "aiohttp") if importlib.util.find_spec(name)]


@pytest.fixture(scope="module")
def development(running: Running, store: Store) -> Server:
    return running.shared(store, "development", ENVIRONMENT="development")


@pytest.fixture(scope="module")
def insecure(running: Running, store: Store) -> Server:
    return running.shared(store, "insecure", ENVIRONMENT="development", COOKIE_SECURE="false")


def function(code: str, server: Server) -> Callable[..., Any]:
    """Return `who_am_i` of a block of the page."""
    names: dict[str, Any] = {}
    exec(code.replace("http://localhost:8080", server.url), names)  # noqa: S102  # the page's code
    found: Callable[..., Any] = names["who_am_i"]
    return found


def test_no_block_is_left_out() -> None:
    assert sorted(CODE) == ["aiohttp", "httpx", "page", "requests"]
    assert len(WITH_COOKIE) == 1


@pytest.mark.parametrize("client", INSTALLED)
def test_a_client_signs_in_over_http_with_the_settings_of_development(
    development: Server, client: str
) -> None:
    who_am_i = function(CODE[client], development)
    assert [who_am_i(name) for name in ("admin", "user")] == ["admin", "user"]


def test_with_an_insecure_cookie_a_client_keeps_it_by_itself(
    insecure: Server, development: Server
) -> None:
    assert function(WITH_COOKIE[0], insecure)("manager") == "manager"
    with pytest.raises(KeyError):  # what the page explains
        function(WITH_COOKIE[0], development)("manager")


def test_curl_signs_in_over_http(development: Server, tmp_path: Path) -> None:
    (script,) = blocks(PAGE, "sh")
    script = script.replace("http://localhost:8080", development.url)
    done = subprocess.run(
        ["sh", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True
    )
    assert '"username":"admin"' in done.stdout


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
def test_playwright_signs_in_over_http(development: Server) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        page = browser.new_page()
        assert function(CODE["page"], development)(page, "contributor") == "contributor"
        browser.close()


# --- The hint.


@pytest.mark.parametrize("path", ["/auth/me", "/auth/token", "/api/v1/users"])
def test_in_development_a_401_without_a_credential_names_the_remedies(
    development: Server, path: str
) -> None:
    answer = ask(development.port, path)
    assert (answer.status, answer.code) == (401, "credentials_missing")
    detail = answer.json["detail"]
    assert detail.startswith(errors.CredentialsMissing.detail)
    assert HINT in detail
    assert "bearer token" in detail


def test_a_401_for_another_reason_has_no_hint(development: Server) -> None:
    answer = ask(development.port, "/auth/me", headers={"Authorization": "Bearer x"})
    assert HINT not in answer.text


def test_without_a_secure_cookie_and_in_production_there_is_no_hint(
    insecure: Server, running: Running, store: Store
) -> None:
    production = running.shared(
        store,
        "production",
        ENVIRONMENT="production",
        BYPASS_AUTH="false",
        PUBLIC_URL="https://auth.example.org",
        JWT_SECRET_KEY=STRONG,
    )
    for server in (insecure, production):
        answer = ask(server.port, "/auth/me")
        assert (answer.status, answer.code) == (401, "credentials_missing")
        assert answer.json["detail"] == errors.CredentialsMissing.detail
