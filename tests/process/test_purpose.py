"""One key for each purpose: every kind of document against everything that verifies one.

The documents come from a running server and from the fake provider. What verifies them: the server,
the clients, HAProxy, the client of OpenID providers, sealed values, and each piece of code that the
documentation shows, run as it stands there.
"""

import asyncio
import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt
import pytest
from jwt.exceptions import InvalidSignatureError

from service import config
from service.providers.openid import LoginRejected, ProviderError
from service.providers.openid.token_endpoint import TokenResponse
from tests.support.client import ask, bearer, cookie
from tests.support.derived import assertion_key, feed_key
from tests.support.documents import KINDS, Documents, client_of
from tests.support.environment import ROOT, SECRET, clean_environ
from tests.support.proxies import haproxy_jwt, prepared, running
from tests.support.purposes import ALGORITHMS, algorithm, assert_only, documents, tried
from tests.support.servers import Server
from tests.support.snippets import blocks
from tests.support.verifiers import Make, Node, outcome

__all__ = ["algorithm", "documents"]

STORES = ("sqlite",)  # no store has a part in this
FEED_KEYS, ASSERTION_KEYS = "/.well-known/feed-jwks.json", "/.well-known/assertion-jwks.json"
SESSION_KEYS = "/.well-known/jwks.json"


def test_there_is_one_of_each_kind_and_what_holders_of_a_key_could_forge(
    documents: Documents, algorithm: str
) -> None:
    assert set(KINDS) < documents.texts.keys()
    assert len(documents.texts) == len(KINDS) + 6
    derived = "ES256" if algorithm == "RS256" else algorithm
    for kind, expected in (("session", algorithm), ("feed", derived), ("assertion", derived)):
        header = jwt.get_unverified_header(documents.texts[kind])
        assert header["alg"] == expected
        assert ("kid" in header) == (algorithm != "HS256")


# What the server takes


@pytest.mark.parametrize("carry", [cookie, bearer])
def test_the_server_takes_a_session(
    documents: Documents, carry: Callable[[str], dict[str, str]]
) -> None:
    def accepts(text: str) -> bool:
        return ask(documents.server.port, "/auth/me", headers=carry(text)).status == 200

    assert_only(documents, "session", tried(documents, accepts))


def test_sealed_values_are_opened_by_their_key_alone(documents: Documents) -> None:
    assert_only(documents, "sealed", tried(documents, documents.opens))


@pytest.mark.parametrize("kind", ["id_token", "logout_token"])
def test_the_client_of_a_provider_takes_that_providers_tokens(
    documents: Documents, kind: str
) -> None:
    environ = {"ENVIRONMENT": "test", "JWT_SECRET_KEY": SECRET, "OIDC_CLIENT_ID": "app.example.org"}
    environ["OIDC_ISSUER"] = documents.server.url
    (settings,) = config.load(environ, ROOT / "no.env").openid
    client = client_of(documents.provider, settings)

    def accepts(text: str) -> bool:
        asked = (
            client.identify(TokenResponse(text, None), "n")
            if kind == "id_token"
            else client.signed_out(text)
        )
        try:
            return asyncio.run(asked) is not None
        except (LoginRejected, ProviderError):
            return False

    assert_only(documents, kind, tried(documents, accepts))


# What the clients take


def test_the_clients_take_a_session(make: Make, documents: Documents, algorithm: str) -> None:
    client = make(documents.server.url, **secrets_of(algorithm))
    assert_only(
        documents, "session", tried(documents, lambda text: outcome(client, text) == "good")
    )


@dataclass
class Relay:
    """Hands the key sets of a server on, from other places if told so; `feed` is its feed."""

    server: Documents
    feed: str = ""
    moved: dict[str, str] | None = None

    def answer(self, path: str) -> bytes:
        """Return the answer to a client."""
        if path.startswith("/auth/revocations"):
            return self.feed.encode()
        return ask(self.server.server.port, (self.moved or {}).get(path, path)).body


@pytest.fixture
def relay(documents: Documents) -> Iterator[tuple[Relay, str]]:
    """Yield a relay and its address."""
    made = Relay(documents)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = made.answer(self.path)
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield made, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def secrets_of(algorithm: str) -> dict[str, Any]:
    """Return the option of a client."""
    return {"secrets": [SECRET]} if algorithm == "HS256" else {}


def test_the_clients_take_the_feed(
    make: Make, documents: Documents, algorithm: str, relay: tuple[Relay, str]
) -> None:
    between, url = relay

    def accepts(text: str) -> bool:
        between.feed = text
        client = make(documents.server.url, url=url, **secrets_of(algorithm))
        return outcome(client, documents.texts["session"]) == "good"  # else: the feed is stale

    assert_only(documents, "feed", tried(documents, accepts))


@pytest.mark.parametrize("documents", ALGORITHMS[1:], indirect=True)  # those with key sets
@pytest.mark.parametrize(
    "moved",
    [
        {FEED_KEYS: SESSION_KEYS},
        {FEED_KEYS: ASSERTION_KEYS},
        {SESSION_KEYS: FEED_KEYS},
        {SESSION_KEYS: ASSERTION_KEYS},
    ],
    ids=" for ".join,
)
def test_a_key_set_in_the_wrong_place_makes_nothing_good(
    make: Make, documents: Documents, relay: tuple[Relay, str], moved: dict[str, str]
) -> None:
    between, url = relay
    between.moved = moved
    real = [documents.texts[kind] for kind in KINDS]
    for between.feed in real:
        client = make(documents.server.url, url=url)
        assert "good" not in {outcome(client, text) for text in real}


def test_without_a_look_at_any_claim_the_key_still_tells_them_apart(
    documents: Documents, algorithm: str
) -> None:
    """The least that a JWT library does: the signature, and the claims that it knows."""
    options: Any = {"verify_aud": False}
    for name, text in documents.texts.items():
        if name in {"sealed", "id_token", "logout_token"}:
            continue
        kind = name.rpartition(" ")[2]
        for path, secret, purpose in (
            (SESSION_KEYS, SECRET, "session"),
            (FEED_KEYS, feed_key(SECRET), "feed"),
            (ASSERTION_KEYS, assertion_key(SECRET), "assertion"),
        ):
            used: Any = secret
            used_for = algorithm
            if algorithm != "HS256":
                (published,) = jwt.PyJWKSet.from_dict(ask(documents.server.port, path).json).keys
                used, used_for = published.key, published.algorithm_name
            refused: Any = contextlib.nullcontext()
            if purpose != kind:
                refused = pytest.raises((InvalidSignatureError, jwt.InvalidAlgorithmError))
            with refused:
                jwt.decode(text, used, [used_for], options)


def test_the_public_feed_signs_nobody_in_at_a_service_with_plain_pyjwt(server: Server) -> None:
    """What anybody can fetch, and the least that a service does with a token."""
    feed = ask(server.port, "/auth/revocations").text
    with pytest.raises(InvalidSignatureError):
        jwt.decode(feed, SECRET, algorithms=["HS256"], options={"verify_aud": False})


def test_no_key_stands_in_two_sets(documents: Documents, algorithm: str) -> None:
    sets = [
        ask(documents.server.port, path).json["keys"]
        for path in (SESSION_KEYS, FEED_KEYS, ASSERTION_KEYS)
    ]
    parts = [json.dumps([each.get("x"), each.get("n")]) for keys in sets for each in keys]
    assert len(parts) == len(set(parts)) == (0 if algorithm == "HS256" else 3)
    assert len({each["kid"] for keys in sets for each in keys}) == len(parts)


@pytest.mark.parametrize(
    ("path", "label"), [("docs/forward-auth.md", "assertion"), ("docs/revocation.md", "feed")]
)
@pytest.mark.parametrize("program", ["python3", "node"])
def test_the_lines_that_compute_a_key_agree(
    path: str, label: str, program: str, node: Node
) -> None:
    (lines,) = (
        each for each in blocks(path, "sh") if each.startswith(program) and "JWT_SECRET_KEY" in each
    )
    for secret in (SECRET, "\u043a\u043b\u044e\u0447" * 8):
        done = subprocess.run(
            ["sh", "-euc", lines.replace("python3", sys.executable)],
            cwd=node.folder,
            env=clean_environ(JWT_SECRET_KEY=secret),
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        computed = {"feed": feed_key, "assertion": assertion_key}[label](secret)
        assert done.stdout.strip() == computed.hex()


# What HAProxy takes


@pytest.mark.parametrize("documents", ["ES256"], indirect=True)  # which the file is for
def test_haproxy_takes_a_session(documents: Documents, tmp_path: Path) -> None:
    lines = block_of_pem().replace("https://auth.example.org", documents.server.url)
    lines = lines.replace("python3", sys.executable)
    with prepared("haproxy", tmp_path) as alone:
        alone.latchkey_port = documents.server.port
        subprocess.run(
            ["sh", "-euc", lines], cwd=tmp_path, env=clean_environ(), timeout=60, check=True
        )
        command = haproxy_jwt(alone)
        file = tmp_path / "haproxy.cfg"
        file.write_text(file.read_text().replace(alone.auth, documents.server.url))
        with running(alone, command):
            for carry in (cookie, bearer):

                def accepts(text: str) -> bool:
                    return alone.ask(headers=carry(text)).status == 200  # noqa: B023

                assert_only(documents, "session", tried(documents, accepts))


def block_of_pem() -> str:
    """Return the lines that write the public key for HAProxy."""
    (found,) = (each for each in blocks("docs/forward-auth.md", "sh") if "latchkey.pem" in each)
    return found
