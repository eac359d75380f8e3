"""One of each kind of document that Latchkey or the fake provider makes, from a running server."""

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt
from joserfc.jwk import KeySet

from service import keys
from service.config import Config, OpenIdProvider
from service.fake_provider.models import Client, Request
from service.fake_provider.openid import FakeProvider
from service.fake_provider.people import BrowserSession, Person
from service.keys import KeyRing, Purpose, SigningPurpose
from service.parsing import base64url
from service.providers.openid import provider as openid
from service.tokens.encrypted import EncryptedValues
from tests.support.client import ask, bearer
from tests.support.servers import Server

APP = "app.example.org"
FEED_TYPE, ASSERTION_TYPE = "latchkey-revocations+jwt", "latchkey-assertion+jwt"
KINDS = ("session", "feed", "assertion", "sealed", "id_token", "logout_token")
Claims = dict[str, Any]


@dataclass
class Documents:
    """The documents of a server by name, and what made them."""

    server: Server
    ring: KeyRing
    provider: FakeProvider
    texts: dict[str, str]
    attempt: str

    def kind(self, name: str) -> str | None:
        """Return the kind of a document; None for one that nobody may take."""
        return name if name in KINDS else None

    def opens(self, text: str) -> bool:
        """Tell whether the attempt's cookie value is opened."""
        return (
            EncryptedValues(self.ring).decrypt(f"attempt cas {self.attempt}", text, max_age=600)
            is not None
        )


def made(server: Server, config: Config) -> Documents:
    """Return every kind of document, and what holders of a key of one purpose could forge."""
    issued = server.cli("token", "issue", "manager")
    assert issued.returncode == 0, issued.stderr
    session = issued.stdout.strip()
    asked = {"X-Original-Method": "GET", "X-Original-URL": f"https://{APP}/", **bearer(session)}
    verified = ask(server.port, "/auth/verify?proxy=nginx", headers=asked)
    begun = ask(server.port, "/auth/cas?next=/auth/me")["Set-Cookie"].partition(";")[0]
    name, _, sealed = begun.partition("=")
    ring, provider = keys.load(config), fake_provider(server.url)
    texts = {
        "session": session,
        "feed": ask(server.port, "/auth/revocations").text,
        "assertion": verified["X-Latchkey-Assertion"],
        "sealed": sealed,
        "id_token": id_token(provider),
        "logout_token": provider.logout_token(BrowserSession(PERSON)),
    }
    claims = {
        kind: jwt.decode(texts[kind], options={"verify_signature": False})
        for kind in ("session", "feed", "assertion")
    }
    types = {"session": "JWT", "feed": FEED_TYPE, "assertion": ASSERTION_TYPE}
    purposes: dict[str, SigningPurpose] = {
        "session": Purpose.SESSION,
        "feed": Purpose.FEED,
        "assertion": Purpose.ASSERTION,
    }
    for by, purpose in purposes.items():
        for what in (each for each in purposes if each != by):
            forged = forge(ring, purpose, types[what], claims[what])
            texts[f"{what} by the key of {by}"] = forged
    attempt = name.removeprefix("latchkey_cas_")
    return Documents(server, ring, provider, texts, attempt)


def forge(ring: KeyRing, purpose: SigningPurpose, typ: str, claims: Claims) -> str:
    """Return a JWT by the key of a purpose, whatever it says."""
    key = ring.keys(purpose).signing
    named = {} if key.kid is None else {"kid": key.kid}
    header = {"alg": key.algorithm, **named, "typ": typ}
    signed = b".".join(base64url.encode(json.dumps(part).encode()) for part in (header, claims))
    return (signed + b"." + base64url.encode(key.sign(signed))).decode()


# The fake provider, in the worst case: under the same address, for a client of the same name


PERSON = Person("manager", "subject", "Manager")
_VERIFIER = "v" * 64
_CHALLENGE = base64url.encode(hashlib.sha256(_VERIFIER.encode()).digest())


def fake_provider(issuer: str) -> FakeProvider:
    """Return the fake provider of `make run-sso`."""
    return FakeProvider(issuer, Client(APP, "secret", f"{issuer}/cb", f"{issuer}/"))


def id_token(provider: FakeProvider) -> str:
    """Let somebody sign in there, and return the ID token."""
    back = provider.client.redirect_uri
    question = {
        "response_type": "code",
        "client_id": APP,
        "redirect_uri": back,
        "scope": "openid",
        "nonce": "n",
        "state": "s",
        "code_challenge": _CHALLENGE.decode(),
        "code_challenge_method": "S256",
    }
    at = f"{provider.issuer}/authorize"
    answer = provider.authorize(Request("GET", at, {}, question, {}), BrowserSession(PERSON))
    assert answer.status == 302, answer.body
    (code,) = provider.codes
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": back,
        "client_id": APP,
        "client_secret": "secret",
        "code_verifier": _VERIFIER,
    }
    request = Request("POST", f"{provider.issuer}/token", {}, {}, form)
    token = provider.create_token_response(request)
    assert token.status == 200, token.body
    return str(token.body["id_token"])


def client_of(provider: FakeProvider, settings: OpenIdProvider) -> openid.OpenIdClient:
    """Return what checks that provider's tokens in Latchkey."""
    published = KeySet([provider.key]).as_dict(private=False)

    async def send(
        _method: str, address: str, _headers: Mapping[str, str], _body: str | None
    ) -> tuple[int, bytes]:
        document = published if address.endswith("/jwks.json") else provider.metadata()
        return 200, json.dumps(document).encode()

    return openid.OpenIdClient(settings, send, time.time)
