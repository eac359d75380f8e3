"""An OpenID provider that says whatever a test wants it to say, and remembers what it was asked."""

import base64
import contextlib
import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from tests.support.client import Answer, ask
from tests.support.issuer import Claims, Signer

CLIENT_ID = "the client/of tests"
CLIENT_SECRET = "s3cret: of the client+%"
ACCESS_TOKEN = "the-access-token-that-nobody-logs"
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
SUBJECT = "subject-of-user"

_EVERY = {
    "RS256": lambda: rsa.generate_private_key(65537, 2048),
    "PS256": lambda: rsa.generate_private_key(65537, 2048),
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "ES384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "ES512": lambda: ec.generate_private_key(ec.SECP521R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate,
}
ALGORITHMS = tuple(_EVERY)


def key(kid: str, algorithm: str = "RS256", private: Any = None) -> Signer:
    """Return a key, a fresh one if none is given."""
    return Signer(kid, algorithm, private or _EVERY[algorithm]())


def half_hash(text: str, algorithm: str) -> str:
    """Return `at_hash` (OpenID Connect Core section 3.1.3.6)."""
    name = "sha512" if algorithm == "EdDSA" else f"sha{algorithm[2:]}"
    digest = hashlib.new(name, text.encode()).digest()
    return base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=").decode()


@dataclass(frozen=True)
class Asked:
    """A request that the provider got."""

    method: str
    path: str
    headers: dict[str, str]
    form: dict[str, str]


Reply = tuple[int, bytes | dict[str, Any]]


@dataclass
class Attempt:
    """An attempt to sign in, as a browser knows it: cookies, and the question to the provider."""

    port: int
    start: Answer
    cookies: dict[str, str]
    question: dict[str, str]
    callback: str

    def come_back(self, query: dict[str, str] | list[tuple[str, str]], **headers: str) -> Answer:
        """Ask for the callback, with the cookies of this attempt unless others are given."""
        known = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        return ask(self.port, f"{self.callback}?{urlencode(query)}", headers={**known, **headers})

    def good(self, **changes: str) -> dict[str, str]:
        """Return the parameters of a good answer; '' takes one away."""
        good = {"code": "the-code-that-nobody-logs", "state": self.question["state"], **changes}
        return {name: value for name, value in good.items() if value}


def begin(port: int, path: str = "/auth/oidc", **headers: str) -> Attempt:
    """Begin to sign in."""
    start = ask(port, path, headers=headers)
    assert start.status == 302, start.text
    cookies = dict(line.partition(";")[0].split("=", 1) for line in start.all("Set-Cookie"))
    question = dict(parse_qsl(urlsplit(start["Location"]).query, strict_parsing=True))
    callback = urlsplit(question["redirect_uri"]).path
    return Attempt(port, start, cookies, question, callback)


@dataclass
class Evil:
    """The provider. What it says can be changed at any time; its keys are fetched but rarely."""

    keys: list[Signer]
    documents: dict[str, Any] = field(default_factory=dict)
    extra_keys: list[dict[str, Any]] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    replies: dict[str, Callable[[Asked], Reply]] = field(default_factory=dict)
    delay: float = 0
    url: str = ""

    def paths(self) -> list[str]:
        """Return what was asked, and forget it."""
        found, self.asked = [asked.path for asked in self.asked], []
        return found

    def metadata(self) -> dict[str, Any]:
        """Return the discovery document."""
        document = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize?tenant=a",
            "token_endpoint": f"{self.url}/token",
            "userinfo_endpoint": f"{self.url}/userinfo",
            "jwks_uri": f"{self.url}/jwks",
            "end_session_endpoint": f"{self.url}/end",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["HS256", "none", *ALGORITHMS],
            "authorization_response_iss_parameter_supported": False,
            **self.documents,
        }
        return {name: value for name, value in document.items() if value is not None}

    def claims(self, attempt: Attempt, **changes: Any) -> Claims:
        """Return the claims of a good ID token; None takes one away."""
        now = int(time.time())
        claims = {
            "iss": self.url,
            "sub": SUBJECT,
            "aud": CLIENT_ID,
            "exp": now + 300,
            "iat": now,
            "nonce": attempt.question["nonce"],
            **changes,
        }
        return {name: value for name, value in claims.items() if value is not None}

    def answers(self, id_token: str, **more: Any) -> None:
        """Let the token endpoint answer with an ID token."""
        tokens = {
            "access_token": ACCESS_TOKEN,
            "token_type": "Bearer",
            "expires_in": 60,
            "id_token": id_token,
            **more,
        }
        self.replies["/token"] = lambda _: (200, tokens)

    def logout_token(self, signer: Signer | None = None, **changes: Any) -> str:
        """Return a good logout token, changed; None takes a claim away."""
        now = int(time.time())
        claims = {
            "iss": self.url,
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + 120,
            "jti": base64.urlsafe_b64encode(hashlib.sha256(str(time.time_ns()).encode()).digest())
            .decode()
            .rstrip("="),
            "events": {LOGOUT_EVENT: {}},
            "sub": SUBJECT,
            **changes,
        }
        kept = {name: value for name, value in claims.items() if value is not None}
        return (signer or self.keys[0]).sign(kept, typ="logout+jwt")

    def reply(self, asked: Asked) -> Reply:
        """Answer as told, or as a good provider."""
        if asked.path in self.replies:
            return self.replies[asked.path](asked)
        if asked.path == "/.well-known/openid-configuration":
            return 200, self.metadata()
        if asked.path == "/jwks":
            return 200, {"keys": [*(signer.jwk for signer in self.keys), *self.extra_keys]}
        return 404, b""


@contextmanager
def running(*keys: Signer) -> Iterator[Evil]:
    """Serve a provider on loopback."""
    evil = Evil(list(keys))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
            asked = Asked(self.command, urlsplit(self.path).path, dict(self.headers), form)
            evil.asked.append(asked)
            time.sleep(evil.delay)
            status, reply = evil.reply(asked)
            data = reply if isinstance(reply, bytes) else json.dumps(reply).encode()
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", f"{evil.url}/elsewhere")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            with contextlib.suppress(OSError):  # who asked does not read all of what is too much
                self.wfile.write(data)

        do_POST = do_GET  # noqa: N815  # the name that the library looks for

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        evil.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield evil
        server.shutdown()


def unsigned(claims: Claims) -> str:
    """Return a token with the algorithm none."""
    return jwt.encode(claims, "", "none")
