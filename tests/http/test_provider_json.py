"""JSON of a provider that parsers could read in two ways: only what is used decides."""

import base64
import json
from collections.abc import Callable
from typing import Any

import jwt
import pytest

from tests.http.test_provider_answers import INVALID, refusals
from tests.support import openid
from tests.support.client import Answer, ask
from tests.support.evil import ACCESS_TOKEN, SUBJECT, Attempt, Evil, begin, running
from tests.support.openid_sign_in import RSA, evil, quiet, server, settings_for
from tests.support.servers import Server, Start

__all__ = ["evil", "quiet", "server"]

STORES = ("sqlite",)  # no store has a part in this
HEADER = b'{"alg": "RS256", "kid": "rsa", "typ": "JWT"}'
UNCLEAR: dict[str, bytes] = {
    "a member twice": b'"x": 1, "x": 2',
    "a member twice, once escaped": b'"amr": ["a"], "\\u0061mr": "b"',
    "a member twice, further in": b'"address": {"locality": "A", "locality": "B"}',
    "an empty name twice": b'"": 1, "": 2',
    "half an emoji": b'"nickname": "Ada \\ud83d"',
    "halves the wrong way round": b'"nickname": "\\ude00\\ud83d"',
    "half an emoji further in": b'"x": [{"y": ["\\udfff"]}]',
    "half an emoji in a name": b'"x\\ud83d": 1',
    "Latin-1": b'"nickname": "J\xf6rg"',
    "a surrogate in UTF-8": b'"nickname": "\xed\xa0\xbd"',
    "an integer of 5,000 digits": b'"x": ' + b"9" * 5000,
    "a negative integer of 400 digits": b'"x": -1' + b"0" * 400,
    "a fraction too large for a float": b'"x": [1e999, -1e999]',
    "NaN, as Python writes it": b'"x": [NaN, Infinity, -Infinity]',
    "33 levels": b'"x": ' + b"[" * 33 + b"]" * 33,
    "objects of 2,000 levels": b'"x": ' + b'{"a":' * 2000 + b"1" + b"}" * 2000,
    "lists of 10,000 levels": b'"x": ' + b"[" * 10_000 + b"]" * 10_000,
    "levels around texts": b'"x": ' + b'["]}",' * 40 + b'"[["' + b"]" * 40,
}


def segment(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def sign(claims: bytes, header: bytes = HEADER) -> str:
    """Return a well-signed token with any text as header and claims."""
    signed = f"{segment(header)}.{segment(claims)}"
    algorithm = jwt.get_algorithm_by_name("RS256")
    return f"{signed}.{segment(algorithm.sign(signed.encode(), RSA.private))}"


def with_members(document: dict[str, Any], members: bytes) -> bytes:
    """Return a document with further members, as they are."""
    return json.dumps(document).encode()[:-1] + (b", " + members if members else b"") + b"}"


def come_back(
    server: Server, evil: Evil, members: bytes, header: bytes = HEADER, **claims: Any
) -> Answer:
    """Sign in with further members in the claims."""
    attempt = begin(server.port)
    evil.answers(sign(with_members(evil.claims(attempt, **claims), members), header))
    return attempt.come_back(attempt.good())


@pytest.mark.parametrize("name", UNCLEAR)
def test_a_claim_that_is_not_used_and_unclear_refuses_nobody(
    server: Server, evil: Evil, name: str
) -> None:
    answer = come_back(server, evil, UNCLEAR[name])
    assert answer.status == 302, refusals(server, answer)


@pytest.mark.parametrize("name", UNCLEAR)
def test_a_header_that_is_not_used_and_unclear_refuses_nobody(
    server: Server, evil: Evil, name: str
) -> None:
    answer = come_back(server, evil, b"", HEADER[:-1] + b", " + UNCLEAR[name] + b"}")
    assert answer.status == 302, refusals(server, answer)


@pytest.mark.parametrize("name", UNCLEAR)
def test_a_token_response_that_is_unclear_where_it_is_not_used_refuses_nobody(
    server: Server, evil: Evil, name: str
) -> None:
    attempt = begin(server.port)
    tokens = {"access_token": ACCESS_TOKEN, "id_token": RSA.sign(evil.claims(attempt))}
    evil.replies["/token"] = lambda _: (200, with_members(tokens, UNCLEAR[name]))
    answer = attempt.come_back(attempt.good())
    assert answer.status == 302, refusals(server, answer)


@pytest.mark.parametrize("name", UNCLEAR)
def test_metadata_and_keys_that_are_unclear_where_they_are_not_used_refuse_nobody(
    start: Start, name: str
) -> None:
    with running(RSA) as provider:
        unclear = UNCLEAR[name]
        document = with_members(provider.metadata(), unclear)
        keys = b'{"keys": [' + with_members(RSA.jwk, unclear) + b"]}"
        provider.replies["/.well-known/openid-configuration"] = lambda _: (200, document)
        provider.replies["/jwks"] = lambda _: (200, keys)
        server = start(**settings_for(provider))
        openid.link(server, "user", SUBJECT)
        answer = come_back(server, provider, b"")
        assert answer.status == 302, refusals(server, answer)


# --- What is used must be clear ------------------------------------------------------------------


def doubled(name: str) -> Callable[[dict[str, Any]], bytes]:
    """Return what writes a member of some claims twice, with the same value."""
    return lambda claims: f'"{name}": {json.dumps(claims[name])}'.encode()


DECISIVE: dict[str, tuple[bytes | Callable[[dict[str, Any]], bytes], str]] = {
    **{f"{name} twice": (doubled(name), name) for name in ("iss", "sub", "aud", "exp", "nonce")},
    "iat twice": (doubled("iat"), "iat"),
    "another sub": (b'"sub": "subject-of-admin"', "sub"),
    "another sub, escaped": (b'"\\u0073ub": "subject-of-admin"', "sub"),
    "azp twice": (b'"azp": "x", "azp": null', "azp"),
    "at_hash twice": (b'"at_hash": null, "at_hash": null', "at_hash"),
    "nbf twice": (b'"nbf": 1, "nbf": 99999999999', "nbf"),
    "nbf without end": (b'"nbf": 1e999', "nbf"),
    "exp of a huge number": (b'"exp": 1e999', "exp"),
}


@pytest.mark.parametrize("name", DECISIVE)
def test_a_claim_that_decides_must_be_clear(server: Server, evil: Evil, name: str) -> None:
    members, reason = DECISIVE[name]
    attempt = begin(server.port)
    claims = evil.claims(attempt)
    told = members if isinstance(members, bytes) else members(claims)
    evil.answers(sign(with_members(claims, told)))
    answer = attempt.come_back(attempt.good())
    assert (answer.status, answer.code) == (401, "sign_in_refused")
    assert f"reason={reason}" in refusals(server, answer)


@pytest.mark.parametrize(
    "sub", [b'"\\ud83d"', b"1e999", b"[" * 99 + b"]" * 99, b'"J\xf6rg"', b"NaN"], ids=repr
)
def test_an_unclear_subject_is_refused(server: Server, evil: Evil, sub: bytes) -> None:
    answer = come_back(server, evil, b'"sub": ' + sub, sub=None)
    assert (answer.status, answer.code) == (401, "sign_in_refused")
    assert "reason=sub" in refusals(server, answer)


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        (b'"alg": "RS256"', "algorithm"),
        (b'"kid": "rsa"', "header"),
        (b'"typ": "JWT"', "token_type"),
        (b'"crit": null, "crit": ["b64"]', "header"),
        (b'"crit": ["b64"], "crit": null', "header"),
        (b'"crit": []', "header"),
        (b'"b64": false', "header"),
        (b'"b64": true, "b64": null', "header"),
    ],
    ids=repr,
)
def test_a_header_that_decides_must_be_clear(
    server: Server, evil: Evil, members: bytes, reason: str
) -> None:
    answer = come_back(server, evil, b"", HEADER[:-1] + b", " + members + b"}")
    assert (answer.status, answer.code) == INVALID
    assert f"reason={reason}" in refusals(server, answer)


def test_null_in_a_header_is_an_absent_member(server: Server, evil: Evil) -> None:
    answer = come_back(server, evil, b"", HEADER[:-1] + b', "crit": null, "b64": null}')
    assert answer.status == 302, refusals(server, answer)


def token_response(attempt: Attempt, evil: Evil, members: bytes) -> None:
    tokens = {"access_token": ACCESS_TOKEN, "id_token": RSA.sign(evil.claims(attempt))}
    evil.replies["/token"] = lambda _: (200, with_members(tokens, members))


@pytest.mark.parametrize("members", [b'"id_token": "e.e.e"', b'"access_token": "x"'])
def test_a_token_response_must_be_clear_in_what_is_used(
    server: Server, evil: Evil, members: bytes
) -> None:
    attempt = begin(server.port)
    token_response(attempt, evil, members)
    answer = attempt.come_back(attempt.good())
    assert (answer.status, answer.code) == INVALID
    assert "reason=token_answer" in refusals(server, answer)


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        (b'"issuer": "https://evil.example"', "metadata_issuer"),
        (b'"token_endpoint": "https://evil.example/"', "metadata_endpoint"),
        (b'"jwks_uri": null', "metadata_endpoint"),
        (b'"authorization_response_iss_parameter_supported": true', "metadata"),
        (b'"code_challenge_methods_supported": [], "code_challenge_methods_supported": null',
         "metadata"),
    ],
    ids=repr,
)  # fmt: skip
def test_metadata_must_be_clear_in_what_is_used(start: Start, members: bytes, reason: str) -> None:
    with running(RSA) as provider:
        document = with_members(provider.metadata(), members)
        provider.replies["/.well-known/openid-configuration"] = lambda _: (200, document)
        server = start(**settings_for(provider))
        answer = ask(server.port, "/auth/oidc")
        assert (answer.status, answer.code) == INVALID
        assert f"reason={reason} " in refusals(server, answer) + " "


@pytest.mark.parametrize("member", ["n", "e", "kty", "use", "alg", "kid", "key_ops"])
def test_a_key_must_be_clear_in_what_is_used(start: Start, member: str) -> None:
    with running(RSA) as provider:
        more = f'"{member}": {json.dumps(RSA.jwk.get(member))}, "{member}": null'.encode()
        keys = b'{"keys": [' + with_members(RSA.jwk, more) + b"]}"
        provider.replies["/jwks"] = lambda _: (200, keys)
        server = start(**settings_for(provider))
        openid.link(server, "user", SUBJECT)
        assert (come_back(server, provider, b"").status, 502) == (502, 502)


@pytest.mark.parametrize("told", [b'"groups": ["staff"], "groups": []', b'"groups": "\\ud83d"'])
def test_an_unclear_claim_of_roles_revokes_nothing_and_meets_no_requirement(
    start: Start, evil: Evil, told: bytes
) -> None:
    roles = {"OIDC_ROLES_CLAIM": "groups", "OIDC_ROLES": "view_documents=staff"}
    server = start(**settings_for(evil, **roles))
    openid.link(server, "user", SUBJECT)
    assert come_back(server, evil, b'"groups": ["staff"]').status == 302
    answer = come_back(server, evil, told)
    assert answer.status == 302
    assert "roles_unreadable" in refusals(server, answer)
    assert "view_documents" in server.cli("user", "show", "user").stdout
    strict = start(**settings_for(evil, OIDC_REQUIRE="groups=staff"))
    openid.link(strict, "user", SUBJECT)
    evil.replies["/userinfo"] = lambda _: (200, {"sub": SUBJECT})
    answer = come_back(strict, evil, told)
    assert answer.code == "account_not_allowed"


@pytest.mark.parametrize("body", [b"[" * 40 + b"]" * 40, b"[" * 50_000, b"", b"[]", b'{"a": ['])
def test_what_is_no_object_is_refused(server: Server, evil: Evil, body: bytes) -> None:
    evil.replies["/token"] = lambda _: (200, body)
    attempt = begin(server.port)
    answer = attempt.come_back(attempt.good())
    assert (answer.status, answer.code) == INVALID
    assert "reason=token_answer" in refusals(server, answer)
