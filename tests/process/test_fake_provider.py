"""The fake provider for development: where it refuses, what it tells, and that it ends."""

import html
import os
import re
import shutil
import signal
import socket
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import pytest

from tests.support.client import BROWSER, Answer, ask, cookie, send
from tests.support.commands import command
from tests.support.environment import ROOT, STRONG, free_port
from tests.support.fake import Both, are_open, run_both, wait_until_gone

STORES = ("sqlite",)  # no store has a part in this

PEOPLE = ("admin", "contributor", "manager", "user", "stranger")


@dataclass
class Browser:
    """A browser without scripts: it keeps cookies for each port, and follows what leads on."""

    kept: dict[int, dict[str, str]] = field(default_factory=dict)

    def go(self, address: str, method: str = "GET", body: str = "") -> Answer:
        """Ask for an address of this machine, as a navigation from another site."""
        parts = urlsplit(address)
        port = int(parts.port or 0)
        known = self.kept.setdefault(port, {})
        headers = {
            **BROWSER,
            "Host": parts.netloc,
            "Cookie": "; ".join(f"{name}={value}" for name, value in known.items()),
            "Sec-Fetch-Site": "cross-site" if method == "GET" else "same-origin",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        answer = ask(port, target, method, headers=headers, body=body.encode())
        for line in answer.all("Set-Cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            known[name] = value
            if not value or "Max-Age=0" in line:
                del known[name]
        return answer

    def follow(self, address: str) -> tuple[str, Answer]:
        """Follow redirects, and pages that move on by themselves; return where that ends."""
        for _ in range(12):
            answer = self.go(address)
            refresh = re.search(r'http-equiv="refresh" content="0; url=([^"]+)"', answer.text)
            to = answer["Location"] if answer.status == 302 else refresh and refresh[1]
            if not to:
                return address, answer
            parts = urlsplit(address)
            to = html.unescape(to)
            address = to if "://" in to else f"{parts.scheme}://{parts.netloc}{to}"
        raise AssertionError(address)


def sign_in(both: Both, browser: Browser, way: str, username: str) -> tuple[str, Answer]:
    """Choose a way in and somebody on the provider's page; return where that ends."""
    where, page = browser.follow(f"{both.url}/auth/{way}?next=/auth/me")
    assert where.startswith(both.provider), page.text
    for name in PEOPLE:
        assert f'<button name="username" value="{name}">' in page.text
    (then,) = re.findall(r'name="continue" value="([^"]+)"', page.text)
    form = urlencode({"continue": html.unescape(then), "username": username})
    answer = browser.go(f"{both.provider}/login", "POST", form)
    return browser.follow(both.provider + answer["Location"])


@pytest.mark.parametrize("way", ["oidc", "cas"])
def test_one_click_signs_in_on_the_deep_link(both: Both, way: str) -> None:
    where, page = sign_in(both, Browser(), way, "manager")
    assert where == f"{both.url}/auth/me"
    assert (page.json["username"], page.json["method"]) == ("manager", way)


@pytest.mark.parametrize("way", ["oidc", "cas"])
def test_whom_nobody_is_linked_with_is_told_what_to_ask_for(both: Both, way: str) -> None:
    _, page = sign_in(both, Browser(), way, "stranger")
    assert page.status == 403
    assert "identity_unknown" in page.text


@pytest.mark.parametrize("way", ["oidc", "cas"])
def test_signing_out_here_signs_out_there(both: Both, way: str) -> None:
    browser = Browser()
    sign_in(both, browser, way, "user")
    assert "Signed in as <strong>user</strong>" in browser.go(f"{both.provider}/").text
    where, page = browser.follow(f"{both.url}/auth/logout")
    if "Sign out?" in page.text:
        page = browser.go(f"{both.url}/auth/logout", "POST")
        refresh = re.search(r'content="0; url=([^"]+)"', page.text)
        where, page = browser.follow(html.unescape(refresh[1]) if refresh else page["Location"])
    assert where == f"{both.url}/"
    assert "jwt" not in browser.kept[both.port]
    assert "Signed in as" not in browser.go(f"{both.provider}/").text


@pytest.mark.parametrize("way", ["oidc", "cas"])
def test_signing_out_there_ends_the_session_here(both: Both, way: str) -> None:
    browser = Browser()
    sign_in(both, browser, way, "admin")
    token = browser.kept[both.port]["jwt"]
    assert ask(both.port, "/auth/me", headers=cookie(token)).status == 200
    assert browser.go(f"{both.provider}/logout", "POST").status == 302
    assert ask(both.port, "/auth/me", headers=cookie(token)).code == "token_revoked"


def test_it_says_where_to_go_and_that_it_is_unsafe(both: Both) -> None:
    log = both.log()
    assert f"UNSAFE, for development only: a fake provider runs at {both.provider}/" in log
    assert f"{both.url}/auth/oidc" in log
    assert f"{both.url}/auth/cas" in log
    assert "For development only" in ask(both.idp, "/").text


def test_it_is_no_help_to_others(both: Both) -> None:
    foreign = quote("https://evil.example/cb")
    assert ask(both.idp, f"/cas/login?service={foreign}&gateway=true").status == 200
    for address in ("//evil.example", "https://evil.example", "/\\evil.example"):
        away = urlencode({"username": "user", "continue": address}).encode()
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = ask(both.idp, "/login", "POST", headers=kind, body=away)
        assert urlsplit(answer["Location"]).netloc == ""
        assert answer["Location"] == "/"
    browser = Browser()
    form = urlencode({"username": "user", "continue": "/"})
    browser.go(f"{both.provider}/login", "POST", form)
    question = {"response_type": "code", "client_id": "latchkey", "scope": "openid", "state": "s"}
    bad = urlencode({**question, "redirect_uri": "https://evil.example/cb"})
    answer = browser.go(f"{both.provider}/authorize?{bad}")
    assert answer.status == 400
    assert ask(both.idp, "/login", "POST", body=b"username=nobody").status == 400
    assert ask(both.idp, "/userinfo", headers={"Authorization": "Bearer x"}).status == 401
    assert ask(both.idp, "/token", "POST").status in {400, 401}
    assert "INVALID_TICKET" in ask(both.idp, "/cas/serviceValidate?ticket=x&service=y").text


def test_a_code_needs_its_verifier_and_counts_once(both: Both) -> None:
    browser = Browser()
    browser.go(f"{both.provider}/login", "POST", urlencode({"username": "user", "continue": "/"}))
    start = browser.go(f"{both.url}/auth/oidc")
    back = browser.go(start["Location"])["Location"]
    query = parse_qs(urlsplit(back).query)
    assert query["iss"] == [both.provider]
    form = {"grant_type": "authorization_code", "code": query["code"][0], "client_id": "latchkey"}
    answer = ask(both.idp, "/token", "POST", body=urlencode(form).encode())
    assert answer.status in {400, 401}
    assert browser.go(back).status == 200
    assert browser.go(back)["Location"] == "/"  # there is a session: the browser goes on
    browser.kept.clear()
    again = browser.go(back)
    assert (again.status, again.all("Set-Cookie")) == (400, [])


@pytest.mark.parametrize(
    "head",
    [
        "CONNECT /x HTTP/1.1\r\nContent-Length: 40",
        "POST /x HTTP/1.1\r\nTransfer-Encoding: chunked",
        "POST /x HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket",
    ],
)
def test_a_request_that_may_be_framed_otherwise_is_the_last_one(both: Both, head: str) -> None:
    rest = "0\r\nHost: a\r\n\r\n" if "chunked" in head else ""
    request = f"{head}\r\nHost: a\r\n\r\n{rest}GET /jwks.json HTTP/1.1\r\nHost: a\r\n\r\n"
    received = send(both.idp, request.encode())
    assert received.count(b"HTTP/1.") == 1
    assert b'"keys"' not in received


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_both_end_together(tmp_path: Path, seeded: Path, name: str) -> None:
    both = run_both(tmp_path, seeded)
    os.kill(both.process.pid, getattr(signal, name))
    wait_until_gone(both)
    assert both.process.returncode == 0, both.log()
    assert "Traceback" not in both.log()


def test_if_the_service_cannot_start_the_provider_ends_too(tmp_path: Path, seeded: Path) -> None:
    shutil.copy(ROOT / ".env.test", tmp_path / ".env")
    (tmp_path / "data").mkdir()
    shutil.copy(seeded, tmp_path / "data" / seeded.name)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        idp = free_port()
        done = command(tmp_path, "idp", "--serve", "--port", str(idp), PORT=str(port))
    assert done.returncode == 1
    assert "The service exited" in done.stderr
    assert "Traceback" not in done.stderr
    assert are_open(idp) == [False]


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = command(
            tmp_path, "idp", "--port", port, ENVIRONMENT="development", JWT_SECRET_KEY=STRONG
        )
    assert done.returncode == 1
    assert f"Cannot listen on 127.0.0.1, port {port}: " in done.stderr


@pytest.mark.parametrize("settings", [{}, {"ENVIRONMENT": "production"}, {"ENVIRONMENT": "prod"}])
def test_in_production_it_refuses(tmp_path: Path, settings: dict[str, str]) -> None:
    done = command(
        tmp_path, "idp", PUBLIC_URL="https://a.example", JWT_SECRET_KEY=STRONG, **settings
    )
    assert done.returncode == 1
    assert "for development" in done.stderr
    assert done.stdout == ""
