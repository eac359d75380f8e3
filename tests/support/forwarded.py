"""A server behind a proxy, and what each kind of proxy asks it."""

import pytest

from tests.support.client import Answer, ask
from tests.support.keyfiles import key
from tests.support.servers import Server, Start

X_ORIGINAL = {
    "X-Original-Method": "GET",
    "X-Original-URL": "https://app.example.org/deep/link?a=1&b=%20caf\u00e9#x",
}
X_FORWARDED = {
    "X-Forwarded-Method": "GET",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "app.example.org",
    "X-Forwarded-Uri": "/deep/link?a=1&b=%20caf\u00e9#x",
}
DIALECTS = {
    "nginx": X_ORIGINAL,
    "haproxy": X_ORIGINAL,
    "caddy": X_FORWARDED,
    "traefik": X_FORWARDED,
}
NAVIGATION = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none"}
PUBLIC = "https://auth.example.org"


@pytest.fixture(scope="module")
def behind(start: Start, tmp_path_factory: pytest.TempPathFactory) -> Server:
    """Return a server that a proxy on this machine may ask, with a key pair of its own."""
    keys = tmp_path_factory.mktemp("keys") / "keys.json"
    key(keys, "generate")
    return start(
        JWT_ALGORITHM="EdDSA",
        JWT_KEYS_FILE=str(keys),
        TRUSTED_PROXIES="127.0.0.1",
        PUBLIC_URL=PUBLIC,
        ALLOWED_REDIRECTS="https://app.example.org",
        COOKIE_DOMAIN="example.org",
        BYPASS_NETWORKS="127.0.0.1",
    )


def verify(server: Server, query: str = "", *, method: str = "GET", **headers: str) -> Answer:
    """Ask as a proxy does."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    latin = {name: value.encode().decode("latin-1") for name, value in named.items()}
    return ask(server.port, f"/auth/verify{query}", method, headers=latin)
