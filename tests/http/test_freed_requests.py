"""A request is freed when it is answered, also if it is refused: no cycle waits for the collector.

The collector counts objects, not bytes: many large requests could come between two collections.
"""

import gc
from collections.abc import Iterator

import pytest
from aiohttp import web

from tests.support.client import BROWSER, ask, cookie, sign_in
from tests.support.environment import PROVIDERS
from tests.support.servers import Server, Start

STORES = ("sqlite",)  # no store has a part in this
MANY = 20


@pytest.fixture(scope="module")
def server(start: Start) -> Server:
    return start(**PROVIDERS, CORS_ORIGINS="http://app.example.org")


@pytest.fixture(autouse=True)
def uncollected() -> Iterator[None]:
    """Switch the collector off."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def alive() -> int:
    """Return how many requests are in memory."""
    return sum(isinstance(each, web.BaseRequest) for each in gc.get_objects())


REQUESTS = {
    "home": ("/", "GET", b""),
    "unauthenticated": ("/auth/me", "GET", b""),
    "forward": ("/auth/verify?proxy=nginx", "GET", b""),
    "api": ("/api/v1/users", "GET", b""),
    "unknown path": ("/nothing", "GET", b""),
    "unknown method": ("/auth/me", "DELETE", b""),
    "odd method": ("/auth/me", "BREW", b""),
    "odd target": ("http://xn--a/", "GET", b""),
    "long target": (f"/{'a' * 40_000}", "GET", b""),
    "many segments": ("/a" * 40, "GET", b""),
    "bypass": ("/auth/bypass?token=nobody", "GET", b""),
    "bypass without a name": ("/auth/bypass", "GET", b""),
    "callback": ("/auth/oidc/callback?state=a&code=b", "GET", b""),
    "ticket": ("/auth/cas?attempt=a&ticket=ST-1", "GET", b""),
    "logout request": ("/auth/cas", "POST", b"logoutRequest=x"),
    "logout token": ("/auth/oidc/logout", "POST", b"logout_token=x"),
    "feed": ("/auth/revocations?since=x", "GET", b""),
    "preflight": ("/auth/me", "OPTIONS", b""),
    "asset": ("/static/none", "GET", b""),
    "large body": ("/auth/logout", "POST", b"a" * 70_000),
}


@pytest.mark.parametrize("accept", [{}, BROWSER], ids=["program", "browser"])
@pytest.mark.parametrize("kind", REQUESTS)
def test_nothing_is_left_of_a_request(server: Server, kind: str, accept: dict[str, str]) -> None:
    path, method, body = REQUESTS[kind]
    before = alive()
    for _ in range(MANY):
        ask(server.port, path, method, headers=accept, body=body or None)
    assert alive() - before < MANY // 4


@pytest.mark.parametrize(
    ("path", "method", "body"),
    [
        ("/api/v1/users", "POST", b"{"),
        ("/api/v1/users", "POST", b"{}"),
        ("/api/v1/users/999999", "GET", b""),
        ("/api/v1/users/1", "PUT", b'{"username": "manager"}'),
        ("/admin/users/new", "POST", b"username=admin"),
        ("/admin?sort=x", "GET", b""),
    ],
)
def test_nothing_is_left_of_a_request_of_a_manager(
    server: Server, path: str, method: str, body: bytes
) -> None:
    is_form = path.startswith("/admin")
    kind = "application/x-www-form-urlencoded" if is_form else "application/json"
    headers = {**cookie(sign_in(server.port)), "Content-Type": kind, **(BROWSER if is_form else {})}
    before = alive()
    for _ in range(MANY):
        assert ask(server.port, path, method, headers=headers, body=body or None).status >= 400
    assert alive() - before < MANY // 4
