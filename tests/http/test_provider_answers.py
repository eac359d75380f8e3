"""Answers of an OpenID provider: what is not used is not judged, and limits have their names."""

from typing import Any

import jwt
import pytest

from tests.support import openid
from tests.support.client import BROWSER, Answer, ask
from tests.support.evil import (
    ACCESS_TOKEN,
    CLIENT_ID,
    SUBJECT,
    Evil,
    begin,
    half_hash,
    key,
    running,
)
from tests.support.issuer import Signer, compact
from tests.support.openid_sign_in import EC, RSA, evil, quiet, server, settings_for
from tests.support.servers import Server, Start

__all__ = ["evil", "quiet", "server"]

STORES = ("sqlite",)  # no store has a part in this
INVALID = (502, "provider_answer_invalid")
LIMIT = "64 KiB"


def come_back(server: Server, evil: Evil, signer: Signer = RSA, **claims: Any) -> Answer:
    """Sign in with claims that are added as they are, also null."""
    attempt = begin(server.port)
    header = {"alg": signer.algorithm, "kid": signer.kid, "typ": "JWT"}
    evil.answers(signed(signer, header, {**evil.claims(attempt), **claims}))
    return attempt.come_back(attempt.good())


def signed(signer: Signer, header: dict[str, Any], claims: dict[str, Any]) -> str:
    """Return a well-signed token with any header and any claims."""
    algorithm = jwt.get_algorithm_by_name(signer.algorithm)
    return compact(header, claims, lambda text: algorithm.sign(text, signer.private))


def refusals(server: Server, answer: Answer) -> str:
    """Return the lines of the log about a request, but for the line of its answer."""
    lines = server.log(until=answer["X-Request-ID"]).splitlines()
    mine = [line for line in lines if f"id={answer['X-Request-ID']}" in line]
    return "\n".join(line for line in mine if " request method=" not in line)


# --- What is not used is not judged --------------------------------------------------------------

UNUSED: dict[str, dict[str, Any]] = {
    "amr as a text": {"amr": "pwd"},
    "amr as a number": {"amr": 7},
    "amr of objects": {"amr": [{"a": 1}]},
    "auth_time as a text": {"auth_time": "yesterday"},
    "auth_time as a list": {"auth_time": [1]},
    "auth_time far ahead": {"auth_time": 10**15},
    "acr as an object": {"acr": {"a": 1}},
    "jti as a number": {"jti": 7},
    "sid as a number": {"sid": 7},
    "sid of 300 letters": {"sid": "s" * 300},
    "an empty sid": {"sid": ""},
    "nbf as a text": {"nbf": "soon"},
    "c_hash and s_hash": {"c_hash": 1, "s_hash": []},
    "events": {"events": "none"},
    "a name as a list": {"name": ["Ada"]},
    "an address as a number": {"email": 7, "email_verified": "no"},
    "updated_at as a text": {"updated_at": "2026-01-01"},
    "typ, as Keycloak has it": {"typ": "ID"},
    "nulls": dict.fromkeys(
        ("amr", "acr", "auth_time", "azp", "at_hash", "c_hash", "nbf", "sid", "jti", "name",
         "email", "email_verified", "groups", "events", "preferred_username"),
    ),
    "one audience twice": {"aud": [CLIENT_ID, CLIENT_ID]},
}  # fmt: skip


@pytest.mark.parametrize("name", UNUSED)
def test_a_claim_that_is_not_used_refuses_nobody(server: Server, evil: Evil, name: str) -> None:
    answer = come_back(server, evil, **UNUSED[name])
    assert answer.status == 302, answer.text


DECISIVE: dict[str, tuple[Any, ...]] = {
    "iss": (None, "", 7, ["x"]),
    "aud": (None, "", [], 7, {"a": 1}, "other", [CLIENT_ID, 7]),
    "exp": (None, "", "9999999999", True, [], 1),
    "iat": (None, "", "now", False, {}, 1),
    "nonce": (None, "", 7, []),
    "sub": (None, "", 7, [], "a\nb"),
    "azp": ("", "other", 7, [CLIENT_ID]),
    "at_hash": ("", "other", 7, []),
    "nbf": (1 << 40,),
}


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name, values in DECISIVE.items() for value in values],
    ids=str,
)
def test_a_claim_that_is_used_decides(server: Server, evil: Evil, name: str, value: Any) -> None:
    answer = come_back(server, evil, **{name: value})
    assert (answer.status, answer.code) == (401, "sign_in_refused")
    assert f"openid_rejected provider=oidc reason={name}" in refusals(server, answer)


def test_a_list_of_audiences_needs_to_name_the_party(server: Server, evil: Evil) -> None:
    several = [CLIENT_ID, "another"]
    assert come_back(server, evil, aud=several, azp=CLIENT_ID).status == 302
    for azp in (None, "another"):
        answer = come_back(server, evil, aud=several, azp=azp)
        assert "reason=azp" in refusals(server, answer)


HEADERS: dict[str, dict[str, Any]] = {
    "a chain that is a text": {"x5c": "MII"},
    "a chain of numbers": {"x5c": [7]},
    "nulls": {"x5c": None, "x5t": None, "jku": None, "jwk": None, "cty": None, "x5u": None},
    "numbers": {"x5t": 7, "cty": 7, "jku": 7, "x5t#S256": 7},
    "a kid of null, and one fitting key": {"alg": "ES256", "kid": None},
    "typ null": {"typ": None},
    "typ with its family": {"typ": "application/jwt"},
    "12 KB": {"x5c": ["M" * 12_000]},
    "unknown members": {"org": {"a": [1]}},
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_header_that_is_not_used_refuses_nobody(server: Server, evil: Evil, name: str) -> None:
    header = {"alg": "RS256", "kid": "rsa", "typ": "JWT", **HEADERS[name]}
    signer = EC if header["alg"] == "ES256" else RSA
    attempt = begin(server.port)
    evil.answers(signed(signer, header, evil.claims(attempt)))
    answer = attempt.come_back(attempt.good())
    assert answer.status == 302, refusals(server, answer)


@pytest.mark.parametrize(
    "more",
    [
        {"token_type": None},
        {"token_type": "N_A"},
        {"token_type": 7},
        {"expires_in": "soon", "scope": 7, "refresh_token": []},
        {"access_token": None},
    ],
    ids=str,
)
def test_a_member_of_the_token_response_that_is_not_used_refuses_nobody(
    server: Server, evil: Evil, more: dict[str, Any]
) -> None:
    attempt = begin(server.port)
    evil.answers(RSA.sign(evil.claims(attempt)), **more)
    assert attempt.come_back(attempt.good()).status == 302


def test_a_hash_is_compared_for_each_name_of_an_algorithm(start: Start) -> None:
    okp = key("okp", "EdDSA")
    with running(okp) as provider:
        provider.documents["id_token_signing_alg_values_supported"] = ["EdDSA", "Ed25519"]
        provider.replies["/jwks"] = lambda _: (200, {"keys": [{**okp.jwk, "alg": None}]})
        server = start(**settings_for(provider))
        openid.link(server, "user", SUBJECT)
        for algorithm in ("EdDSA", "Ed25519"):
            for text, status in ((ACCESS_TOKEN, 302), ("another", 401)):
                attempt = begin(server.port)
                claims = {**provider.claims(attempt), "at_hash": half_hash(text, "EdDSA")}
                header = {"alg": algorithm, "kid": "okp"}
                provider.answers(compact(header, claims, okp.private.sign))
                assert attempt.come_back(attempt.good()).status == status


# --- Metadata ------------------------------------------------------------------------------------

UNUSED_METADATA: dict[str, dict[str, Any]] = {
    "response types of another kind": {"response_types_supported": "code"},
    "no code among the response types": {"response_types_supported": ["id_token"]},
    "an address of userinfo that cannot be one": {"userinfo_endpoint": "javascript:alert(1)"},
    "an address to sign out that cannot be one": {"end_session_endpoint": 7},
    "numbers among the algorithms": {"id_token_signing_alg_values_supported": [7, "RS256", None]},
    "scopes as a text": {"scopes_supported": "openid", "claims_supported": 7},
}


@pytest.mark.parametrize("name", UNUSED_METADATA)
def test_metadata_that_is_not_used_refuses_nobody(start: Start, name: str) -> None:
    with running(RSA) as provider:
        provider.documents.update(UNUSED_METADATA[name])
        server = start(**settings_for(provider))
        openid.link(server, "user", SUBJECT)
        assert come_back(server, provider).status == 302


def test_nulls_in_metadata_are_absent_members(start: Start) -> None:
    names = (
        "response_types_supported", "code_challenge_methods_supported",
        "token_endpoint_auth_methods_supported", "id_token_signing_alg_values_supported",
        "authorization_response_iss_parameter_supported", "userinfo_endpoint",
        "end_session_endpoint", "scopes_supported",
    )  # fmt: skip
    with running(RSA) as provider:
        document = {**provider.metadata(), **dict.fromkeys(names)}
        provider.replies["/.well-known/openid-configuration"] = lambda _: (200, document)
        server = start(**settings_for(provider))
        openid.link(server, "user", SUBJECT)
        assert come_back(server, provider).status == 302


def test_an_unusable_address_of_userinfo_is_an_error_where_it_is_needed(start: Start) -> None:
    with running(RSA) as provider:
        provider.documents["userinfo_endpoint"] = "ftp://id.example/userinfo"
        roles = {"OIDC_ROLES_CLAIM": "groups", "OIDC_ROLES": "view_documents=staff"}
        server = start(**settings_for(provider, PROVISION_USERS="true", **roles))
        openid.link(server, "user", SUBJECT)
        answer = come_back(server, provider)
        assert answer.status == 302
        assert "roles_unreadable" in refusals(server, answer)
        assert "reason=userinfo_invalid" in refusals(server, answer)
        new = come_back(server, provider, sub="new")
        assert (new.status, new.code) == INVALID
        assert "reason=metadata_endpoint" in refusals(server, new)


# --- Limits --------------------------------------------------------------------------------------


@pytest.mark.parametrize("groups", [350, 600, 1100])
def test_a_large_id_token_is_accepted(server: Server, evil: Evil, groups: int) -> None:
    told = [f"cn=group-{n:04},ou=groups,dc=ex" for n in range(groups)]
    attempt = begin(server.port)
    token = RSA.sign({**evil.claims(attempt), "groups": told})
    assert 15_000 < len(token) < 65_000
    evil.answers(token)
    assert attempt.come_back(attempt.good()).status == 302


def assert_names_limit(server: Server, answer: Answer, reason: str) -> None:
    """Assert that an answer is not called silence, and that the answer and the log name a limit."""
    assert (answer.status, answer.code) == INVALID
    assert LIMIT in answer.json["detail"]
    assert "Retry-After" not in dict(answer.headers)
    log = refusals(server, answer)
    assert reason in log
    assert LIMIT in log


BIG = b'{"a": "' + b"a" * 66_000 + b'"}'


def test_a_token_response_over_the_limit_is_named(server: Server, evil: Evil) -> None:
    attempt = begin(server.port)
    evil.answers(RSA.sign(evil.claims(attempt, filler="f" * 60_000)))
    assert_names_limit(server, attempt.come_back(attempt.good()), "token_answer_too_large")
    attempt = begin(server.port)
    page = attempt.come_back(attempt.good(), **BROWSER)
    assert page.status == 502
    assert LIMIT in page.text


@pytest.mark.parametrize(
    ("path", "reason"),
    [("/.well-known/openid-configuration", "metadata_too_large"), ("/jwks", "jwks_too_large")],
)
def test_a_document_over_the_limit_is_named(start: Start, path: str, reason: str) -> None:
    with running(RSA) as provider:
        provider.replies[path] = lambda _: (200, BIG)
        server = start(**settings_for(provider))
        if path == "/jwks":
            for _ in range(2):  # the second one is told from memory
                assert_names_limit(server, come_back(server, provider), reason)
        else:
            for _ in range(2):
                assert_names_limit(server, ask(server.port, "/auth/oidc"), reason)


def test_userinfo_over_the_limit_is_named(start: Start, evil: Evil) -> None:
    roles = {"OIDC_ROLES_CLAIM": "groups", "OIDC_ROLES": "view_documents=staff"}
    server = start(**settings_for(evil, PROVISION_USERS="true", **roles))
    openid.link(server, "user", SUBJECT)
    evil.replies["/userinfo"] = lambda _: (200, BIG)
    answer = come_back(server, evil)
    assert answer.status == 302
    assert "reason=userinfo_too_large" in refusals(server, answer)
    assert_names_limit(server, come_back(server, evil, sub="new"), "user_info_too_large")


@pytest.mark.parametrize(
    ("change", "limit"),
    [({"sub": "s" * 256}, "255 characters"), ({}, "4,096 characters")],
    ids=["subject", "code"],
)
def test_a_value_over_a_limit_is_named(
    server: Server, evil: Evil, change: dict[str, Any], limit: str
) -> None:
    attempt = begin(server.port)
    evil.answers(RSA.sign({**evil.claims(attempt), **change}))
    answer = attempt.come_back(attempt.good() if change else attempt.good(code="c" * 5000))
    assert limit in answer.json["detail"]
    assert limit in refusals(server, answer)


# --- Unreadable, unsupported ---------------------------------------------------------------------

RETRIES = ("try again later", "in a few seconds")
Reply = tuple[int, Any]
UNUSABLE: dict[str, tuple[Reply, str]] = {
    "a redirect": ((302, b""), "token_answer_status_302"),
    "not found": ((404, b"<html>"), "token_answer_status_404"),
    "not implemented": ((501, b""), "token_answer_status_501"),
    "no content": ((204, b""), "token_answer_status_204"),
    "encrypted": ((200, {"id_token": "eyJhbGciOiJSU0EtT0FFUCJ9.YQ.YQ.YQ.YQ"}), "encrypted"),
    "no JSON": ((200, b"<html>"), "token_answer"),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_an_answer_that_cannot_be_used_is_no_silence(server: Server, evil: Evil, name: str) -> None:
    reply, reason = UNUSABLE[name]
    evil.replies["/token"] = lambda _: reply
    attempt = begin(server.port)
    answer = attempt.come_back(attempt.good())
    assert (answer.status, answer.code) == INVALID
    assert f"reason={reason}" in refusals(server, answer)
    assert not any(words in answer.json["detail"].lower() for words in RETRIES)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b'{"error": "invalid_client"}', "error=invalid_client"),
        (b'{"error": "invalid_grant", "error_description": "no"}', "error=invalid_grant"),
        (b"<html>", "error=unreadable"),
        (b'{"error": "<script>alert(1)</script>"}', "error=other"),
    ],
)
def test_the_log_has_the_error_of_the_token_endpoint(
    server: Server, evil: Evil, body: bytes, error: str
) -> None:
    evil.replies["/token"] = lambda _: (400, body)
    attempt = begin(server.port)
    answer = attempt.come_back(attempt.good())
    assert (answer.status, answer.code) == (401, "sign_in_refused")
    log = refusals(server, answer)
    assert "reason=token_refused" in log
    assert error in log
    assert "script" not in log


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"access_token": "a\r\nX-Evil: b"}, "access_token"),
        ({"access_token": "a b"}, "access_token"),
        ({"access_token": "ä"}, "access_token"),
        ({"access_token": ""}, "access_token"),
        ({"token_type": "DPoP"}, "token_type"),
    ],
    ids=str,
)
def test_an_access_token_that_cannot_be_sent_is_an_error_where_it_is_needed(
    start: Start, evil: Evil, more: dict[str, Any], reason: str
) -> None:
    server = start(**settings_for(evil, PROVISION_USERS="true"))
    openid.link(server, "user", SUBJECT)
    for subject, status in ((SUBJECT, 302), ("new", 502)):
        attempt = begin(server.port)
        evil.answers(RSA.sign({**evil.claims(attempt), "sub": subject}), **more)
        answer = attempt.come_back(attempt.good())
        assert answer.status == status
    assert f"reason={reason}" in refusals(server, answer)
    assert "/userinfo" not in evil.paths()


@pytest.mark.parametrize(
    ("body", "reason"),
    [(b"eyJhbGciOiJSUzI1NiJ9.e30.YQ", "user_info_jwt"), (b"{", "user_info"), (b"[]", "user_info")],
)
def test_userinfo_that_is_not_supported_is_named(
    start: Start, evil: Evil, body: bytes, reason: str
) -> None:
    server = start(**settings_for(evil, PROVISION_USERS="true"))
    evil.replies["/userinfo"] = lambda _: (200, body)
    answer = come_back(server, evil, sub="new")
    assert (answer.status, answer.code) == INVALID
    assert f"reason={reason}" in refusals(server, answer)
