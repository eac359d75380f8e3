"""Hostile answers of a token endpoint: each with its refusal, no session, nothing secret."""

import base64
import hmac
import json
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import jwt
import pytest

from tests.http.test_oidc_hostile import (
    FROM_THE_BROWSER,
    REFUSED,
    RSA,
    TOKEN,
    TWICE_A,
    Site,
    assert_refused,
    quiet,
    reasons,
    sign,
    site,
)
from tests.support.evil import (
    CLIENT_ID,
    CLIENT_SECRET,
    Attempt,
    Evil,
    begin,
    half_hash,
    key,
    unsigned,
)
from tests.support.issuer import Signer, compact

__all__ = ["quiet", "site"]

STORES = ("sqlite",)  # no store has a part in this
STRANGER = key("rsa")


def hs256(claims: dict[str, Any], secret: bytes, **header: str) -> str:
    """Return a token signed with a secret."""
    return compact(
        {"alg": "HS256", "typ": "JWT", **header},
        claims,
        lambda text: hmac.new(secret, text, sha256).digest(),
    )


Tokens = Callable[[Evil, Attempt], Any]
USED = (*REFUSED, TOKEN)
UNUSABLE = (502, "provider_answer_invalid", TOKEN)
NOW = 1 << 40


def respelt(token: str, **changes: str) -> str:
    """Return a token with other claims under its signature."""
    header, payload, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    spelt = base64.urlsafe_b64encode(json.dumps({**claims, **changes}).encode())
    return ".".join((header, spelt.rstrip(b"=").decode(), signature))


def sign_bytes(payload: bytes) -> str:
    """Return a well-signed token with any payload."""
    return jwt.api_jws.encode(payload, RSA.private, "RS256", headers={"kid": "rsa"})


def twice(evil: Evil, attempt: Attempt) -> str:
    """Return a well-signed token that names two subjects."""
    text = json.dumps(evil.claims(attempt))
    return sign_bytes(text.replace("{", '{"sub": "subject-of-admin", ', 1).encode())


FROM_THE_PROVIDER: dict[str, tuple[Tokens, tuple[int, str, list[str]], str]] = {
    "no nonce": (lambda e, a: sign(e, a, nonce=None), USED, "nonce"),
    "another nonce": (lambda e, a: sign(e, a, nonce="n" * 43), USED, "nonce"),
    "a nonce of another type": (
        lambda e, a: sign(e, a, nonce=[a.question["nonce"]]),
        USED,
        "nonce",
    ),
    "another issuer": (lambda e, a: sign(e, a, iss="https://evil.example"), USED, "iss"),
    "an issuer with a slash more": (lambda e, a: sign(e, a, iss=e.url + "/"), USED, "iss"),
    "no issuer": (lambda e, a: sign(e, a, iss=None), USED, "iss"),
    "another audience": (lambda e, a: sign(e, a, aud="another client"), USED, "aud"),
    "no audience": (lambda e, a: sign(e, a, aud=None), USED, "aud"),
    "an empty audience": (lambda e, a: sign(e, a, aud=[]), USED, "aud"),
    "an audience that is a number": (lambda e, a: sign(e, a, aud=[CLIENT_ID, 7]), USED, "aud"),
    "two audiences and no azp": (lambda e, a: sign(e, a, aud=[CLIENT_ID, "b"]), USED, "azp"),
    "another azp": (lambda e, a: sign(e, a, azp="another client"), USED, "azp"),
    "no subject": (lambda e, a: sign(e, a, sub=None), USED, "sub"),
    "an empty subject": (lambda e, a: sign(e, a, sub=""), USED, "sub"),
    "a subject that is a number": (lambda e, a: sign(e, a, sub=1), USED, "sub"),
    "a subject of 256 letters": (lambda e, a: sign(e, a, sub="s" * 256), USED, "sub"),
    "a subject with a line end": (lambda e, a: sign(e, a, sub="user\n"), USED, "sub"),
    "expired": (lambda e, a: sign(e, a, exp=1_700_000_000), USED, "exp"),
    "no exp": (lambda e, a: sign(e, a, exp=None), USED, "exp"),
    "an exp that is a text": (lambda e, a: sign(e, a, exp="9999999999"), USED, "exp"),
    "an exp that is true": (lambda e, a: sign(e, a, exp=True), USED, "exp"),
    "no iat": (lambda e, a: sign(e, a, iat=None), USED, "iat"),
    "issued in the future": (lambda e, a: sign(e, a, iat=NOW, exp=NOW + 9), USED, "iat"),
    "issued long ago": (lambda e, a: sign(e, a, iat=1_700_000_000), USED, "iat"),
    "not yet valid": (lambda e, a: sign(e, a, nbf=NOW), USED, "nbf"),
    "at_hash of another token": (
        lambda e, a: sign(e, a, at_hash=half_hash("another", "RS256")),
        USED,
        "at_hash",
    ),
    "at_hash that is a number": (lambda e, a: sign(e, a, at_hash=1), USED, "at_hash"),
    "alg none": (lambda e, a: unsigned(e.claims(a)), UNUSABLE, "token_form"),
    "alg none with a signature": (
        lambda e, a: compact({"alg": "none"}, e.claims(a), lambda _: b"x"),
        UNUSABLE,
        "algorithm",
    ),
    "HS256 by the client's secret": (
        lambda e, a: hs256(e.claims(a), CLIENT_SECRET.encode()),
        UNUSABLE,
        "algorithm",
    ),
    "HS256 by the public key": (
        lambda e, a: hs256(e.claims(a), RSA.pem, kid="rsa"),
        UNUSABLE,
        "algorithm",
    ),
    "HS256 by a key of the set": (
        lambda e, a: hs256(e.claims(a), b"k" * 32, kid="oct"),
        UNUSABLE,
        "algorithm",
    ),
    "an algorithm of the key's, not the key's own": (
        lambda e, a: Signer("rsa", "PS256", RSA.private).sign(e.claims(a)),
        UNUSABLE,
        "key_unknown",
    ),
    "an unknown kid": (
        lambda e, a: Signer("nobody", "RS256", RSA.private).sign(e.claims(a)),
        UNUSABLE,
        "key_unknown",
    ),
    "a kid that two keys have": (lambda e, a: sign(e, a, TWICE_A), UNUSABLE, "key_ambiguous"),
    "no kid, and several keys": (
        lambda e, a: compact(
            {"alg": "RS256", "typ": "JWT"}, e.claims(a), lambda text: b"x" * 256 + text[:0]
        ),
        UNUSABLE,
        "key_ambiguous",
    ),
    "a kid that is a number": (
        lambda e, a: compact({"alg": "RS256", "kid": 1}, e.claims(a), lambda _: b"x"),
        UNUSABLE,
        "header",
    ),
    "a key that is for encryption": (
        lambda e, a: sign(e, a, Signer("enc", "RS256", RSA.private)),
        UNUSABLE,
        "key_unknown",
    ),
    "signed by a stranger": (lambda e, a: sign(e, a, STRANGER), UNUSABLE, "signature"),
    "signed by a key in its own header": (
        lambda e, a: STRANGER.sign(e.claims(a), jwk=STRANGER.jwk),
        UNUSABLE,
        "signature",
    ),
    "signed by a key elsewhere": (
        lambda e, a: STRANGER.sign(e.claims(a), jku="http://127.0.0.1:9/jwks"),
        UNUSABLE,
        "signature",
    ),
    "a signature cut short": (lambda e, a: sign(e, a)[:-8], UNUSABLE, "signature"),
    "another payload under the signature": (
        lambda e, a: respelt(sign(e, a), sub="subject-of-admin"),
        UNUSABLE,
        "signature",
    ),
    "critical headers": (
        lambda e, a: RSA.sign(e.claims(a), crit=["b64"], b64=True),
        UNUSABLE,
        "header",
    ),
    "encrypted": (lambda *_: "eyJhbGciOiJSU0EtT0FFUCJ9.YQ.YQ.YQ.YQ", UNUSABLE, "encrypted"),
    "a logout token": (
        lambda e, a: RSA.sign(e.claims(a), typ="logout+jwt"),
        UNUSABLE,
        "token_type",
    ),
    "an access token": (lambda e, a: RSA.sign(e.claims(a), typ="at+jwt"), UNUSABLE, "token_type"),
    "no token at all": (lambda *_: "", UNUSABLE, "token_form"),
    "a token of 33 levels": (
        lambda *_: sign_bytes(b'{"a":' * 33 + b"1" + b"}" * 33),
        USED,
        "iss",
    ),
    "claims that are a list": (lambda *_: sign_bytes(b"[]"), UNUSABLE, "token_form"),
    "claims of two subjects": (twice, USED, "sub"),
}


@pytest.mark.parametrize("name", FROM_THE_PROVIDER)
def test_an_id_token_is_refused(site: Site, name: str) -> None:
    make, (status, code, asked), why = FROM_THE_PROVIDER[name]
    attempt = begin(site.server.port)
    site.evil.answers(make(site.evil, attempt))
    answer = attempt.come_back(attempt.good())
    assert_refused(site, answer, status, code, attempt)
    assert reasons(site, answer) == [why]
    paths = site.evil.paths()
    if why == "key_unknown" and "/jwks" in paths:  # looked up anew, once a minute
        paths.remove("/jwks")
    assert paths == asked


def test_there_are_forty_and_more() -> None:
    assert len(FROM_THE_BROWSER) + len(FROM_THE_PROVIDER) > 60


ANSWERS: dict[str, tuple[tuple[int, bytes], int, str, str]] = {
    "the code is not taken": ((400, b'{"error":"invalid_grant"}'), *REFUSED, "token_refused"),
    "the client is not taken": ((401, b"{}"), *REFUSED, "token_refused"),
    "a redirect": ((302, b""), 502, "provider_answer_invalid", "token_answer_status_302"),
    "no JSON": ((200, b"<html>"), 502, "provider_answer_invalid", "token_answer"),
    "a list": ((200, b"[]"), 502, "provider_answer_invalid", "token_answer"),
    "two ID tokens": (
        (200, b'{"id_token":"a","id_token":"b"}'),
        502,
        "provider_answer_invalid",
        "token_answer",
    ),
    "no ID token": (
        (200, b'{"access_token":"a"}'),
        502,
        "provider_answer_invalid",
        "id_token_missing",
    ),
    "an ID token that is a number": (
        (200, b'{"id_token":1}'),
        502,
        "provider_answer_invalid",
        "id_token_missing",
    ),
    "nested without end": (
        (200, b"[" * 50_000),
        502,
        "provider_answer_invalid",
        "token_answer",
    ),
    "more than 64 KiB": (
        (200, b" " * 70_000),
        502,
        "provider_answer_invalid",
        "token_answer_too_large",
    ),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_of_the_token_endpoint_is_refused(site: Site, name: str) -> None:
    reply, status, code, why = ANSWERS[name]
    attempt = begin(site.server.port)
    site.evil.replies["/token"] = lambda _: reply
    answer = attempt.come_back(attempt.good())
    assert_refused(site, answer, status, code, attempt)
    assert reasons(site, answer) == [why]
    assert site.evil.paths() == TOKEN


@pytest.mark.parametrize("reply", [(500, b"{}"), (429, b"{}")])
def test_a_token_endpoint_in_trouble_is_no_answer(site: Site, reply: tuple[int, bytes]) -> None:
    attempt = begin(site.server.port)
    site.evil.replies["/token"] = lambda _: reply
    answer = attempt.come_back(attempt.good())
    assert_refused(site, answer, 503, "provider_unavailable", attempt)
    assert answer["Retry-After"] == "5"
    assert site.evil.paths() == TOKEN
