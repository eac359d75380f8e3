"""A small issuer that signs tokens and a feed in the form of the contract, or spoils them."""

import base64
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

FEED = "latchkey-revocations+jwt"
Claims = dict[str, Any]


@dataclass(frozen=True)
class Signer:
    """A private key with its name and its one algorithm."""

    kid: str
    algorithm: str
    private: Any

    def sign(self, claims: Claims, *, typ: str = "JWT", **header: Any) -> str:
        """Return a JWT."""
        headers = {"typ": typ, "kid": self.kid, **header}
        return jwt.encode(claims, self.private, self.algorithm, headers=headers)

    @property
    def jwk(self) -> dict[str, Any]:
        """The public part (RFC 7517)."""
        library: Any = jwt.get_algorithm_by_name(self.algorithm)
        members = library.to_jwk(self.private.public_key(), as_dict=True)
        members.pop("key_ops", None)
        return {**members, "kid": self.kid, "alg": self.algorithm, "use": "sig"}

    @property
    def pem(self) -> bytes:
        """The public part, as people paste it."""
        form = (Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return bytes(self.private.public_key().public_bytes(*form))


def signer(kid: str, algorithm: str = "ES256") -> Signer:
    """Return a fresh key."""
    private: Any = ed25519.Ed25519PrivateKey.generate()
    if algorithm == "ES256":
        private = ec.generate_private_key(ec.SECP256R1())
    if algorithm == "RS256":
        private = rsa.generate_private_key(65537, 2048)
    return Signer(kid, algorithm, private)


def feed_signer(key: Signer) -> Signer:
    """Return a fresh key of the feed, as it stands beside a key of tokens."""
    return signer(f"feed-{key.kid}", "EdDSA" if key.algorithm == "EdDSA" else "ES256")


def compact(header: Claims, claims: Claims, sign: Callable[[bytes], bytes]) -> str:
    """Return a JWS with any header."""
    signed = b".".join(_segment(json.dumps(part).encode()) for part in (header, claims))
    return (signed + b"." + _segment(sign(signed))).decode()


def _segment(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


class Issuer:
    """Serves a key set and a feed of `rows` (without their `seq`), `page` of them at a time.

    `feed` are the keys of the feed, whose first signs it. `covered` are its claims about all
    tokens, `max_life` and others. `spoil` changes the claims of a document of the feed, and
    `sealed` how it is signed; `statuses` answers with a status instead, by `since`; `requests` has
    each path with its answer.
    """

    def __init__(self, *published: Signer) -> None:
        self.published = list(published)
        self.feed = [feed_signer(key) for key in published]
        self.rows: list[list[Any]] = []
        self.page = 10_000
        self.covered: Claims = {"max_life": 21_600}
        self.spoil: Callable[[Claims], Claims] = lambda claims: claims
        self.sealed: Callable[[Claims], str] = lambda claims: self.feed[0].sign(claims, typ=FEED)
        self.statuses: dict[int | None, int] = {}
        self.requests: list[tuple[str, int]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        """Answer no longer."""
        self._server.shutdown()
        self._server.server_close()

    def count(self, path: str, status: int = 200) -> int:
        """How often a path was answered so."""
        return self.requests.count((path, status))

    def claims(self, **changes: Any) -> Claims:
        """Return the claims of a good token; None takes one away."""
        now = int(time.time())
        claims = {
            "id": 1,
            "username": "admin",
            "roles": [{"id": 1, "role": "manage_users"}],
            "iss": self.url,
            "sub": "1",
            "iat": now,
            "exp": now + 600,
            "jti": "j" * 22,
            "sid": "s" * 22,
            "ver": 3,
            "amr": ["password"],
            **changes,
        }
        return {name: value for name, value in claims.items() if value is not None}

    def answer(self, path: str, since: int, known: str | None) -> tuple[int, bytes]:
        """Return status and body, as the contract has it."""
        if path == "/.well-known/jwks.json":
            return 200, json.dumps({"keys": [key.jwk for key in self.published]}).encode()
        if path == "/.well-known/feed-jwks.json":
            return 200, json.dumps({"keys": [key.jwk for key in self.feed]}).encode()
        status = self.statuses.get(since, self.statuses.get(None, 200))
        newest = len(self.rows)
        if since == newest and known == self.etag(since) and status == 200:
            return 304, b""
        since = since if since <= newest else 0
        rows = [[seq + 1, *row] for seq, row in enumerate(self.rows)][since : since + self.page]
        claims = {
            "iss": self.url,
            "aud": "latchkey-revocations",
            "iat": int(time.time()),
            "exp": int(time.time()) + 120,
            "age": 0.1,
            "since": since,
            "next": rows[-1][0] if rows else newest,
            "more": len(rows) == self.page,
            "changes": rows,
            **self.covered,
        }
        return status, self.sealed(self.spoil(claims)).encode()

    def etag(self, since: int) -> str:
        """Return the ETag of the feed."""
        return f'"{since}.{len(self.rows)}.{sorted(self.covered.items())}"'.replace("'", "")

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                since = int(parse_qs(parts.query).get("since", ["0"])[0])
                status, body = issuer.answer(parts.path, since, self.headers["If-None-Match"])
                issuer.requests.append((parts.path, status))
                self.send_response(status)
                self.send_header("ETag", issuer.etag(since))
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        return Handler
