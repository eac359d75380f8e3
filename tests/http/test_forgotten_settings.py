"""Settings that are missing behind a proxy: `config check` and one warning in the log name them."""

from pathlib import Path

import pytest

from service import config
from tests.support.client import BROWSER, ask, cookie, sign_in
from tests.support.environment import STRONG
from tests.support.forwarded import DIALECTS, NAVIGATION, verify
from tests.support.servers import Server, Start

STORES = ("sqlite",)  # no store has a part in this

PRODUCTION = {
    "ENVIRONMENT": "production",
    "JWT_SECRET_KEY": STRONG,
    "PUBLIC_URL": "https://auth.example.org",
    "TRUSTED_PROXIES": "127.0.0.1/32",
}
APP = {"ALLOWED_REDIRECTS": "https://app.example.org"}
TWO = {"ALLOWED_REDIRECTS": "https://app.example.org,https://b.app.example.org:8443"}
DOMAIN = {"COOKIE_DOMAIN": "example.org"}


@pytest.mark.parametrize(
    ("changes", "name", "cure"),
    [
        (APP, "COOKIE_DOMAIN", "Set COOKIE_DOMAIN=example.org."),
        (TWO, "COOKIE_DOMAIN", "Set COOKIE_DOMAIN=example.org."),
        (
            {**APP, "PUBLIC_URL": "https://example.org"},
            "COOKIE_DOMAIN",
            "Set COOKIE_DOMAIN=example.org.",
        ),
        (
            {**APP, "COOKIE_DOMAIN": "auth.example.org"},
            "COOKIE_DOMAIN",
            "Set COOKIE_DOMAIN=example.org.",
        ),
        ({**APP, **DOMAIN, "TRUSTED_PROXIES": ""}, "TRUSTED_PROXIES", "127.0.0.1/32."),
    ],
    ids=str,
)
def test_what_is_missing_is_named_with_the_cure(
    tmp_path: Path, changes: dict[str, str], name: str, cure: str
) -> None:
    settings = config.load({**PRODUCTION, **changes}, tmp_path / ".env")
    found = dict(config.findings(settings))
    assert found.keys() == {name}
    assert found[name].endswith(cure)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {**APP, **DOMAIN},
        {**TWO, **DOMAIN},
        {"PUBLIC_URL": "https://auth.y.co.uk", "ALLOWED_REDIRECTS": "https://x.co.uk"},
        {"PUBLIC_URL": "https://b.github.io", "ALLOWED_REDIRECTS": "https://a.github.io"},
        {"ALLOWED_REDIRECTS": "https://auth.example.org:8443"},
        # A cookie cannot be shared with these.
        {"ALLOWED_REDIRECTS": "https://app.elsewhere.test"},
        {"ALLOWED_REDIRECTS": "https://203.0.113.7"},
        {"TRUSTED_PROXIES": ""},
    ],
    ids=str,
)
def test_nothing_is_missing(tmp_path: Path, changes: dict[str, str]) -> None:
    settings = config.load({**PRODUCTION, **changes}, tmp_path / ".env")
    assert config.findings(settings) == ()


def warnings(server: Server, name: str, request_id: str) -> list[str]:
    return [line for line in server.log(until=request_id).splitlines() if name in line]


@pytest.mark.parametrize("proxy", DIALECTS)
def test_a_proxy_that_is_not_trusted_is_logged_once(start: Start, proxy: str) -> None:
    server = start(BYPASS_NETWORKS="127.0.0.1", **APP)
    for _ in range(3):
        answer = verify(server, f"?proxy={proxy}", **DIALECTS[proxy], **NAVIGATION)
        assert (answer.status, answer.all("Location")) == (401, [])
    page = ask(server.port, "/auth/login", headers={**BROWSER, "X-Forwarded-For": "192.0.2.7"})
    (line,) = warnings(server, "proxy_not_trusted", page["X-Request-ID"])
    assert "TRUSTED_PROXIES" in line
    assert "127.0.0.1" in line


def test_an_origin_that_is_not_allowed_is_logged_once(start: Start) -> None:
    server = start(TRUSTED_PROXIES="127.0.0.1", BYPASS_NETWORKS="127.0.0.1")
    for number in range(40):
        host = "app.example.org" if number % 2 else f"app{number}.example.org"
        told = {"X-Original-Method": "GET", "X-Original-URL": f"https://{host}/{number}"}
        answer = verify(server, "?proxy=nginx", **told, **NAVIGATION)
        assert answer.status == 401
    lines = warnings(server, "redirect_not_allowed", answer["X-Request-ID"])
    assert len(lines) == 16
    assert sum("https://app.example.org" in line for line in lines) == 1
    assert all("ALLOWED_REDIRECTS" in line for line in lines)


def test_requests_without_a_proxy_are_not_logged(start: Start) -> None:
    server = start(BYPASS_NETWORKS="127.0.0.1")
    token = sign_in(server.port)
    ask(server.port, "/auth/login", headers=BROWSER)
    answer = ask(server.port, "/auth/verify", headers=cookie(token))
    assert warnings(server, "proxy_not_trusted", answer["X-Request-ID"]) == []
