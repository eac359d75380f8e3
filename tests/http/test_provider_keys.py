"""Key sets and logout tokens of an OpenID provider: what is not used is not judged."""

import base64
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.http.test_provider_answers import BIG, INVALID, LIMIT, come_back, refusals, signed
from tests.support import openid
from tests.support.client import Answer, ask
from tests.support.evil import SUBJECT, Evil, begin, key, running
from tests.support.openid_sign_in import EC, RSA, evil, quiet, server, settings_for
from tests.support.servers import Server, Start

__all__ = ["evil", "quiet", "server"]

STORES = ("sqlite",)  # no store has a part in this

# --- Keys ----------------------------------------------------------------------------------------


@pytest.fixture
def lone(start: Start) -> Iterator[tuple[Server, Evil]]:
    """Yield a server and its provider, whose keys it has not fetched."""
    with running(RSA) as provider:
        server = start(**settings_for(provider))
        openid.link(server, "user", SUBJECT)
        yield server, provider


JWK = RSA.jwk
BARE = {name: value for name, value in JWK.items() if name in {"kty", "n", "e"}}
SETS: dict[str, list[Any]] = {
    "the same key twice": [JWK, JWK],
    "the same key three times": [JWK, JWK, JWK],
    "the same key with other members": [JWK, {**JWK, "x5t": "abc", "key_ops": ["verify"]}],
    "the same key without use and algorithm": [JWK, {**BARE, "kid": JWK["kid"]}],
    "the same key with nulls": [JWK, {**JWK, "use": None, "alg": None, "key_ops": None}],
    "nulls alone": [{**JWK, "use": None, "alg": None, "key_ops": None}],
    "the same key with its private part": [JWK, {**JWK, "d": "AAAA"}],
    "a damaged one of the same name": [{**JWK, "n": "!"}, JWK],
    "a weak one of the same name": [{**JWK, "n": "AQAB"}, JWK],
    "one for encryption of the same name": [{**JWK, "use": "enc"}, JWK],
    "one of another kind of the same name": [{**EC.jwk, "kid": JWK["kid"]}, JWK],
    "an unknown kind, a text, null, a number": [{"kty": "x", "kid": "rsa"}, "a", None, 7, JWK],
    "members of wrong types": [{**JWK, "use": ["sig"]}, {**JWK, "key_ops": "verify"}, JWK],
}


@pytest.mark.parametrize("name", SETS)
def test_a_key_set_with_one_usable_key_is_not_ambiguous(
    lone: tuple[Server, Evil], name: str
) -> None:
    server, provider = lone
    provider.replies["/jwks"] = lambda _: (200, {"keys": SETS[name]})
    assert come_back(server, provider).status == 302


def test_without_a_name_equal_keys_are_one(lone: tuple[Server, Evil]) -> None:
    server, provider = lone
    keys = [JWK, {**JWK, "kid": "another name"}, {**JWK, "n": ""}]
    provider.replies["/jwks"] = lambda _: (200, {"keys": keys})
    attempt = begin(server.port)
    provider.answers(signed(RSA, {"alg": "RS256", "typ": "JWT"}, provider.claims(attempt)))
    assert attempt.come_back(attempt.good()).status == 302


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ([JWK, {**key("x").jwk, "kid": "rsa"}], "key_ambiguous"),
        ([{**JWK, "n": "AQAB"}, {**JWK, "n": ""}], "key_damaged"),
        ([], "key_unknown"),
    ],
    ids=["two keys", "no usable one", "none"],
)
def test_a_key_set_without_one_usable_key_is_refused(
    lone: tuple[Server, Evil], keys: list[Any], reason: str
) -> None:
    server, provider = lone
    provider.replies["/jwks"] = lambda _: (200, {"keys": keys})
    answer = come_back(server, provider)
    assert (answer.status, answer.code) == INVALID
    assert f"reason={reason}" in refusals(server, answer)


# --- Logout tokens -------------------------------------------------------------------------------


def say(server: Server, token: str) -> Answer:
    """Send a logout token, as a provider does."""
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    body = f"logout_token={token}".encode()
    return ask(server.port, "/auth/oidc/logout", "POST", headers=headers, body=body)


def logout(evil: Evil, **changes: Any) -> str:
    """Return a good logout token with claims that are added as they are, also null."""
    claims = json.loads(_payload(evil.logout_token()))
    return RSA.sign({**claims, **changes}, typ="logout+jwt")


def _payload(token: str) -> bytes:
    return base64.urlsafe_b64decode(token.split(".")[1] + "==")


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": None, "sid": None, "exp": None, "nbf": None},
        {"nbf": "soon", "acr": 7, "amr": "pwd", "auth_time": "x"},
        {"filler": "f" * 40_000},
        {"exp": 4_000_000_000.5},
    ],
    ids=str,
)
def test_a_logout_token_is_not_judged_by_what_is_not_used(
    server: Server, evil: Evil, changes: dict[str, Any]
) -> None:
    answer = say(server, logout(evil, **changes))
    assert answer.status == 200, refusals(server, answer)


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        ("eyJhbGciOiJSU0EtT0FFUCJ9.YQ.YQ.YQ.YQ", "encrypted"),
        ("a.b.c", "token_form"),
        ("eyJhbGciOiJSUzI1NiJ9.e30.YQ", "unknown_sender"),
    ],
)
def test_the_log_says_why_a_logout_token_was_refused(
    server: Server, token: str, reason: str
) -> None:
    answer = say(server, token)
    assert (answer.status, answer.code) == (400, "logout_token_invalid")
    assert reason in refusals(server, answer)


def test_keys_that_cannot_be_read_are_no_fault_of_a_logout_token(
    lone: tuple[Server, Evil],
) -> None:
    server, provider = lone
    for reply, limit in (((200, b"<html>"), ""), ((200, BIG), LIMIT), ((404, b""), "status_404")):
        provider.replies["/jwks"] = lambda _, reply=reply: reply  # type: ignore[misc]
        answer = say(server, provider.logout_token())
        assert (answer.status, answer.code) == INVALID
        assert limit in refusals(server, answer)
        time.sleep(2.1)  # a failure is remembered for two seconds
    del provider.replies["/jwks"]
    assert say(server, provider.logout_token()).status == 200
