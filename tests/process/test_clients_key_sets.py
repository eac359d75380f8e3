"""The verifiers in clients/ and key sets: new keys, lost keys, keys of another algorithm."""

import hmac
import json
import time
from typing import Any

import jwt
import pytest

from tests.support.clients import EC, ED, KEYS_PATH, RSA, STRANGER, issuer
from tests.support.issuer import FEED, Issuer, compact, signer
from tests.support.verifiers import Make, outcome, seconds_until

__all__ = ["issuer"]

STORES = ("sqlite",)  # no store has a part in this


@pytest.mark.parametrize("key", [ED, EC, RSA], ids=lambda key: key.algorithm)
def test_published_keys_verify(make: Make, issuer: Issuer, key: Any) -> None:
    feed = issuer.feed[[ED, EC, RSA].index(key)]
    issuer.sealed = lambda claims: feed.sign(claims, typ=FEED)
    issuer.rows = [["session", "r" * 22, int(time.time()) + 600]]
    client = make(issuer.url)
    token = key.sign(issuer.claims())
    assert client.verify(token) == {
        **issuer.claims(),
        **jwt.decode(token, options={"verify_signature": False}),
        "stale_roles": False,
    }
    assert outcome(client, key.sign(issuer.claims(sid="r" * 22))) == "token_revoked"
    assert outcome(client, key.sign(issuer.claims(exp=1))) == "token_expired"
    assert outcome(client, key.sign(issuer.claims(iss="https://b.example"))) == "issuer_invalid"
    assert outcome(client, key.sign(issuer.claims())[:-8] + "AAAAAAAA") == "token_invalid"


@pytest.mark.parametrize("key", [ED, EC, RSA], ids=lambda key: key.algorithm)
def test_a_public_key_is_no_secret(make: Make, issuer: Issuer, key: Any) -> None:
    client = make(issuer.url)
    header = {"alg": "HS256", "typ": "JWT", "kid": key.kid}
    for secret in (key.pem, key.pem.strip(), json.dumps(key.jwk).encode()):
        token = compact(
            header,
            issuer.claims(),
            lambda text: hmac.digest(secret, text, "sha256"),  # noqa: B023
        )
        assert outcome(client, token) == "algorithm_invalid"


def test_a_key_is_pinned_to_its_algorithm_and_name(make: Make, issuer: Issuer) -> None:
    client = make(issuer.url)
    claims = issuer.claims()
    assert outcome(client, EC.sign(claims)) == "good"
    assert outcome(client, EC.sign(claims, kid="rsa")) == "token_invalid"
    assert outcome(client, EC.sign(claims, kid="ed")) == "token_invalid"
    assert outcome(client, STRANGER.sign(claims)) == "token_invalid"
    assert outcome(client, EC.sign(claims, jwk=STRANGER.jwk)) == "token_invalid"
    nameless = jwt.encode(claims, EC.private, "ES256")
    assert outcome(client, nameless) == "token_invalid"
    unsigned = compact({"alg": "none", "typ": "JWT", "kid": "ec"}, claims, lambda _: b"")
    assert outcome(client, unsigned) == "token_invalid"


def test_unknown_keys_are_asked_for_once_a_minute(make: Make, issuer: Issuer) -> None:
    client = make(issuer.url, refetch_seconds=3)
    began = time.monotonic()
    while time.monotonic() - began < 5:
        token = EC.sign(issuer.claims(), kid=f"unknown-{time.monotonic_ns()}")
        assert outcome(client, token) == "token_invalid"
        assert outcome(client, EC.sign(issuer.claims())) == "good"
    assert issuer.count(KEYS_PATH) == 2  # at the start, and once


def test_known_keys_are_not_asked_for(make: Make, issuer: Issuer) -> None:
    client = make(issuer.url, refetch_seconds=0)
    assert outcome(client, EC.sign(issuer.claims())) == "good"
    time.sleep(1.2)
    assert issuer.count(KEYS_PATH) == 1


def test_a_new_key_counts_soon_after_its_first_token(make: Make, issuer: Issuer) -> None:
    client = make(issuer.url, refetch_seconds=1)
    for kid in ("first", "second"):
        fresh = signer(kid)
        issuer.published.append(fresh)
        seconds_until(client, fresh.sign(issuer.claims()), "good", at_most=2)
    assert issuer.count(KEYS_PATH) == 3


def test_the_feed_may_be_signed_by_a_new_key(make: Make, issuer: Issuer) -> None:
    client = make(issuer.url, refetch_seconds=1)
    late = signer("late")
    issuer.feed.append(late)
    issuer.sealed = lambda claims: late.sign(claims, typ=FEED)
    issuer.rows = [["session", "r" * 22, int(time.time()) + 600]]
    seconds_until(client, EC.sign(issuer.claims(sid="r" * 22)), "token_revoked", at_most=3)


def test_a_key_that_is_gone_counts_no_longer(make: Make, issuer: Issuer) -> None:
    client = make(issuer.url, refetch_seconds=1)
    token, fresh = EC.sign(issuer.claims()), signer("fresh")
    assert outcome(client, token) == "good"
    issuer.published[1] = fresh
    seconds_until(client, fresh.sign(issuer.claims()), "good", at_most=2)
    assert outcome(client, token) == "token_invalid"
