"""An OpenID provider that nobody here wrote: the package oidc-provider, in a node of its own."""

import contextlib
import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright

from tests.support.environment import ROOT, free_port
from tests.support.servers import Server, Start
from tests.support.sso import (
    OUR_NAME,
    OUR_URL,
    PASSWORD,
    Authority,
    browser,
    make_authority,
    tls_in_front,
    visitor,
)

CLIENT_ID = "latchkey"
CLIENT_SECRET = "known to the client & its provider: 100%+"
_PACKAGE = "oidc-provider@^9.13.3"
_DRIVER = "oidc_provider.mjs"


@dataclass(frozen=True)
class RealProvider:
    """A running provider."""

    issuer: str
    log: Path

    def fill_in(self, page: Page, subject: str, *, agreed: bool = False) -> None:
        """Fill in its login form, and agree to what it asks, unless that was `agreed` before."""
        page.wait_for_selector("input[name=login]")
        page.fill("input[name=login]", subject)
        page.fill("input[name=password]", PASSWORD)
        page.click("button[type=submit]")
        if not agreed:
            page.get_by_role("button", name="Continue").click()


def install(folder: Path) -> None:
    """Install the package and the driver in a folder; skip the test where that is impossible."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node or npm is not installed")
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True)
    if int(version.stdout.lstrip("v").partition(".")[0]) < 20:
        pytest.skip(f"node is too old for the package oidc-provider: {version.stdout.strip()}")
    (folder / "package.json").write_text('{"private": true, "type": "module"}')
    shutil.copy(ROOT / "tests" / "support" / _DRIVER, folder)
    done = subprocess.run(
        ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", _PACKAGE],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode != 0:
        pytest.skip(f"the package oidc-provider cannot be installed: {done.stderr[-200:]}")


def client(**changes: Any) -> dict[str, Any]:
    """Return how Latchkey is registered there."""
    return {
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "redirect_uris": [f"{OUR_URL}/auth/oidc/callback"],
        "post_logout_redirect_uris": [f"{OUR_URL}/"],
        "backchannel_logout_uri": f"{OUR_URL}/auth/oidc/logout",
        "backchannel_logout_session_required": True,
        **changes,
    }


@contextlib.contextmanager
def real_provider(
    folder: Path,
    authority: Authority,
    our_port: int,
    *clients: dict[str, Any],
    groups: dict[str, list[str]] | None = None,
) -> Iterator[RealProvider]:
    """Run the provider over https; yield it."""
    port = free_port()
    issuer = f"https://localhost:{port}"
    wanted = {
        "issuer": issuer,
        "port": port,
        "ourPort": our_port,
        "clients": clients or (client(),),
        "groups": groups or {},
        "ca": str(authority.ca),
        "key": str(authority.key),
        "certificate": str(authority.certificate),
    }
    log = folder / "provider.log"
    with (
        log.open("wb") as errors,
        subprocess.Popen(
            ["node", _DRIVER],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(wanted).encode() + b"\n")
        process.stdin.flush()
        try:
            assert process.stdout.readline() == b"ready\n", log.read_text()
            yield RealProvider(issuer, log)
        finally:
            process.terminate()


def link(server: Server, username: str, subject: str, provider: str = "oidc") -> None:
    """Let an account at a provider sign a user in."""
    done = server.cli("user", "link", username, provider, subject)
    assert done.returncode == 0, done.stderr


@dataclass(frozen=True)
class World:
    """Latchkey, the provider, and a browser that reaches both; `our_port` is where it does."""

    server: Server
    provider: RealProvider
    browser: Browser
    our_port: int

    def newcomer(self) -> Page:
        """Return a page of a browser without memories."""
        return visitor(self.browser).new_page()


@contextlib.contextmanager
def real_world(
    playwright: Playwright, folder: Path, start: Start, **settings: str
) -> Iterator[World]:
    """Run Latchkey and the provider, over https on two sites; the demo users are linked."""
    install(folder)
    authority, port = make_authority(folder), free_port()
    with (
        tls_in_front(authority, port) as our_port,
        real_provider(folder, authority, our_port) as provider,
        browser(playwright, our_port) as chromium,
    ):
        server = start(
            PORT=str(port),
            PUBLIC_URL=OUR_URL,
            BYPASS_AUTH="false",
            OIDC_ISSUER=provider.issuer,
            OIDC_CLIENT_ID=CLIENT_ID,
            OIDC_CLIENT_SECRET=CLIENT_SECRET,
            OIDC_NAME="the campus",
            SSL_CERT_FILE=str(authority.ca),
            **settings,
        )
        for username in ("user", "manager", "contributor"):
            link(server, username, f"subject-of-{username}")
        yield World(server, provider, chromium, our_port)


def set_out(page: Page, path: str = "/auth/me") -> None:
    """Come to a page that is closed, and choose the provider."""
    page.goto(OUR_URL + path)
    page.get_by_role("link", name="Sign in").click()
    page.get_by_role("link", name="Sign in with the campus").click()


def sign_in(world: World, page: Page, username: str) -> str:
    """Sign in all the way; return the value of the session's cookie."""
    set_out(page)
    world.provider.fill_in(page, f"subject-of-{username}")
    page.wait_for_url(f"{OUR_URL}/auth/me")
    assert f'"username":"{username}"' in page.content()
    return cookie_of(page)


def cookie_of(page: Page) -> str:
    """Return our session's cookie in a page's browser."""
    (value,) = [each["value"] for each in page.context.cookies(OUR_URL) if each["name"] == "jwt"]
    return str(value)


def names(context: BrowserContext) -> list[str]:
    """Return the names of the cookies that Latchkey left."""
    return sorted(each["name"] for each in context.cookies() if OUR_NAME in each["domain"])
