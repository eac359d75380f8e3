"""Whose page sent a form: with the cookie, only the origin that is exactly ours counts."""

import pytest

from tests.support.client import ask, bearer, cookie, send, sign_in
from tests.support.environment import STRONG
from tests.support.servers import Server, Start

STORES = ("sqlite",)  # no store has a part in this

FOREIGN_IN_PRODUCTION = [
    "http://auth.example.org",
    "https://auth.example.org:443",
    "https://auth.example.org:8443",
    "http://auth.example.org:443",
    "https://AUTH.example.org",
    "HTTPS://auth.example.org",
    "https://auth.example.org.",
    "https://auth.example.org/",
    "https://user@auth.example.org",
    "https://auth.example.org, https://auth.example.org",
    "https://auth.example.org https://evil.example",
    "https://auth.example.org.evil.example",
    "https://example.org",
    "https://app.example.org",
    "https://xn--auth-0ra.example.org",
    "https://auth.exämple.org",
    "http://localhost:{port}",
    "http://127.0.0.1:{port}",
    "null",
    "",
]


@pytest.fixture(scope="module")
def own(start: Start) -> Server:
    """Return a server in production."""
    return start(
        ENVIRONMENT="production",
        BYPASS_AUTH="false",
        PUBLIC_URL="https://auth.example.org",
        JWT_SECRET_KEY=STRONG,
    )


def token(server: Server) -> str:
    """Issue a token by command, where nobody can sign in."""
    issued = server.cli("token", "issue", "user")
    assert issued.returncode == 0, issued.stderr
    return issued.stdout.strip()


@pytest.fixture(scope="module")
def issued(own: Server) -> str:
    """Return a token that is not revoked by these tests."""
    return token(own)


HOSTS = ("auth.example.org", "localhost:{port}", "evil.example")


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("origin", FOREIGN_IN_PRODUCTION)
def test_in_production_only_the_origin_of_public_url_is_ours(
    own: Server, issued: str, origin: str, host: str
) -> None:
    port = str(own.port)
    headers = {
        **cookie(issued),
        "Host": host.replace("{port}", port),
        "Origin": origin.replace("{port}", port).encode().decode("latin-1"),
    }
    answer = ask(own.port, "/auth/logout", "POST", headers=headers)
    assert (answer.status, answer.code) == (403, "cross_site_request")
    page = ask(own.port, "/auth/logout", headers=headers)
    assert (page.status, page.all("Set-Cookie")) == (200, [])
    assert ask(own.port, "/auth/me", headers=bearer(issued)).status == 200


@pytest.mark.parametrize("host", [*HOSTS, "auth.example.org:443"])
def test_the_origin_of_public_url_is_ours_whatever_host_the_proxy_sends(
    own: Server, host: str
) -> None:
    headers = {
        **cookie(token(own)),
        "Host": host.replace("{port}", str(own.port)),
        "Origin": "https://auth.example.org",
    }
    assert ask(own.port, "/auth/logout", "POST", headers=headers).status == 302


def test_two_origins_are_none_of_ours(own: Server, issued: str) -> None:
    ours = "Origin: https://auth.example.org\r\n"
    for lines in (ours + "Origin: https://evil.example\r\n", ours + ours):
        head = (
            f"POST /auth/logout HTTP/1.1\r\nHost: auth.example.org\r\nConnection: close\r\n"
            f"Cookie: jwt={issued}\r\nContent-Length: 0\r\n{lines}\r\n"
        )
        assert send(own.port, head.encode()).startswith(b"HTTP/1.1 403 ")


@pytest.mark.parametrize(
    ("origin", "host", "status"),
    [
        ("http://localhost:{port}", "localhost:{port}", 302),
        ("http://localhost:{port}", "127.0.0.1:{port}", 302),
        ("http://127.0.0.1:{port}", "127.0.0.1:{port}", 302),
        ("http://[::1]:{port}", "[::1]:{port}", 302),
        ("http://app.test", "app.test", 302),
        ("http://app.test", "app.test:80", 302),
        ("http://192.0.2.7:3000", "192.0.2.7:3000", 302),
        ("https://localhost:{port}", "localhost:{port}", 403),
        ("https://127.0.0.1:{port}", "127.0.0.1:{port}", 403),
        ("http://127.0.0.1:{port}", "localhost:{port}", 403),
        ("http://localhost:3000", "localhost:{port}", 403),
        ("http://LOCALHOST:{port}", "localhost:{port}", 403),
        ("http://rebound.attacker.com", "rebound.attacker.com", 403),
        ("null", "localhost:{port}", 403),
        ("http://localhost:{port}.", "localhost:{port}.", 403),
        ("", "localhost:{port}", 403),
    ],
)
def test_elsewhere_the_host_that_was_asked_is_ours_too(
    server: Server, origin: str, host: str, status: int
) -> None:
    port = str(server.port)
    headers = {"Origin": origin.replace("{port}", port), "Host": host.replace("{port}", port)}
    signed_in = cookie(sign_in(server.port, "user"))
    answer = ask(server.port, "/auth/logout", "POST", headers={**signed_in, **headers})
    assert answer.status == status


def test_behind_a_trusted_proxy_the_scheme_is_the_one_that_it_names(start: Start) -> None:
    server = start(TRUSTED_PROXIES="127.0.0.1/32", BYPASS_NETWORKS="127.0.0.0/8")
    for origin, proto, status in (
        ("https://app.test", "https", 302),
        ("http://app.test", "https", 403),
        ("http://app.test", "http", 302),
        ("https://app.test", "http", 403),
        ("https://app.test", "https, http", 403),
        ("https://app.test", "javascript", 403),
    ):
        headers = {
            **cookie(token(server)),
            "Host": "app.test",
            "Origin": origin,
            "X-Forwarded-Proto": proto,
        }
        answer = ask(server.port, "/auth/logout", "POST", headers=headers)
        assert answer.status == status, (origin, proto)
