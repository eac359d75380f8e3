"""A provider's description of itself, and its keys: what is read, and what is refused."""

import json
from typing import Any, Literal

import pytest

from service.providers.openid import ProviderError, jwks, metadata
from tests.support.evil import ALGORITHMS, key
from tests.unit.test_openid_provider import ISSUER, described


def test_a_description_is_read_with_the_defaults_of_the_standard() -> None:
    assert metadata.read(described(), ISSUER) == metadata.Metadata(
        issuer=ISSUER,
        authorization_endpoint="https://id.example.org/authorize?tenant=a",
        token_endpoint="https://elsewhere.example/token",
        jwks_uri="https://id.example.org/jwks",
        userinfo_endpoint=None,
        end_session_endpoint=None,
        basic=True,
        algorithms=frozenset({"RS256"}),
        names_issuer=False,
    )


def test_of_the_algorithms_only_the_asymmetric_ones_are_accepted() -> None:
    told = ["none", "HS256", "RS1", "ES256K", "Ed448", "ES256", "EdDSA", "PS512"]
    found = metadata.read(described(id_token_signing_alg_values_supported=told), ISSUER)
    assert found.algorithms == {"ES256", "EdDSA", "PS512"}


Optional = Literal["userinfo_endpoint", "end_session_endpoint"]
ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")
OPTIONAL: tuple[Optional, ...] = ("userinfo_endpoint", "end_session_endpoint")
BAD_ADDRESSES = [
    "http://id.example.org/x",
    "//id.example.org/x",
    "/x",
    "javascript:alert(1)",
    "file:///etc/passwd",
    "https://user:password@id.example.org/x",
    "https://id.example.org@evil.example/x",
    "https://id.example.org/x#fragment",
    "https://id.example.org/x\r\nHost: evil",
    "https://id.example.org/ x",
    "https://id.example.org\\@evil.example/",
    "https://[::1/x",
    "https://",
    "https://id.example.org:99999/",
    "https://id.example.org/" + "x" * 2048,
    "https://ïd.example.org/x",
    "",
    7,
    ["https://id.example.org/x"],
]


@pytest.mark.parametrize("name", ENDPOINTS)
@pytest.mark.parametrize("address", BAD_ADDRESSES, ids=lambda value: str(value)[:40])
def test_an_endpoint_has_to_be_an_address_as_safe_as_the_issuer(name: str, address: Any) -> None:
    with pytest.raises(ProviderError, match="metadata_endpoint"):
        metadata.read(described(**{name: address}), ISSUER)


@pytest.mark.parametrize("name", OPTIONAL)
@pytest.mark.parametrize("address", BAD_ADDRESSES, ids=lambda value: str(value)[:40])
def test_an_optional_endpoint_is_judged_where_it_is_used(name: Optional, address: Any) -> None:
    found = metadata.read(described(**{name: address}), ISSUER)
    assert (found.userinfo_endpoint, found.end_session_endpoint) == (None, None)
    for each in OPTIONAL:
        if each == name:
            with pytest.raises(ProviderError, match="metadata_endpoint"):
                found.optional(each)
        else:
            assert found.optional(each) is None


def test_a_byte_order_mark_is_ignored() -> None:
    mark = b"\xef\xbb\xbf"
    assert metadata.read(mark + described(), ISSUER) == metadata.read(described(), ISSUER)
    with pytest.raises(ProviderError, match="metadata"):
        metadata.read(mark * 2 + described(), ISSUER)
    utf_16 = described().decode().encode("utf-16")
    with pytest.raises(ProviderError, match="metadata"):
        metadata.read(utf_16, ISSUER)


def test_on_plain_http_only_where_the_issuer_is() -> None:
    there = "http://127.0.0.1:9080"
    address = f"{there}/x"
    document = described(issuer=there, **dict.fromkeys((*ENDPOINTS, *OPTIONAL), address))
    assert metadata.read(document, there).token_endpoint == address


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"issuer": ISSUER + "/"}, "metadata_issuer"),
        ({"issuer": "https://ID.example.org/tenant"}, "metadata_issuer"),
        ({"issuer": "https://id.example.org/{tenantid}"}, "metadata_issuer"),
        ({"issuer": None}, "metadata_issuer"),
        ({"issuer": [ISSUER]}, "metadata_issuer"),
        ({"authorization_endpoint": None}, "metadata_endpoint"),
        ({"token_endpoint": None}, "metadata_endpoint"),
        ({"jwks_uri": None}, "metadata_endpoint"),
        ({"id_token_signing_alg_values_supported": ["HS256", "none"]}, "metadata_algorithms"),
        ({"id_token_signing_alg_values_supported": "RS256"}, "metadata"),
        ({"id_token_signing_alg_values_supported": [1]}, "metadata_algorithms"),
        ({"code_challenge_methods_supported": ["plain"]}, "metadata_pkce"),
        ({"token_endpoint_auth_methods_supported": ["private_key_jwt"]}, "metadata_auth_methods"),
    ],
)
def test_a_description_is_refused(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(ProviderError) as refused:
        metadata.read(described(**changes), ISSUER)
    assert refused.value.reason == reason


@pytest.mark.parametrize("document", [b"", b"[]", b"null", b"{", b'{"a":1,"a":2}', b"\xff{}", b"1"])
def test_what_is_no_object_of_json_is_refused(document: bytes) -> None:
    with pytest.raises(ProviderError, match="metadata"):
        metadata.read(document, ISSUER)
    with pytest.raises(ProviderError, match="jwks"):
        jwks.KeySet(document)


# --- Keys ----------------------------------------------------------------------------------------


def keys(*members: dict[str, Any]) -> jwks.KeySet:
    """Return a key set."""
    return jwks.KeySet(json.dumps({"keys": members}).encode())


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_key_is_found_for_its_own_algorithm_alone(algorithm: str) -> None:
    jwk = key("a", algorithm).jwk
    found = keys(jwk)
    assert found.find("a", algorithm)
    assert found.find(None, algorithm)
    for other in {*ALGORITHMS, "HS256", "none"} - {algorithm}:
        with pytest.raises(ProviderError, match="key_unknown"):
            found.find("a", other)


@pytest.mark.parametrize(
    "spoil",
    [
        {"use": "enc"},
        {"key_ops": ["sign"]},
        {"key_ops": "verify"},
        {"kty": "oct"},
        {"kty": 1},
        {"alg": "RS512"},
        {"kid": "b"},
        {"kid": ["a"]},
    ],
)
def test_a_key_that_is_not_for_this_is_unknown(spoil: dict[str, Any]) -> None:
    with pytest.raises(ProviderError, match="key_unknown"):
        keys({**key("a").jwk, **spoil}).find("a", "RS256")


@pytest.mark.parametrize("spoil", [{"n": "AQAB"}, {"n": ""}, {"e": "!"}, {"n": 7}, {"e": None}])
def test_a_damaged_or_weak_key_is_none(spoil: dict[str, Any]) -> None:
    with pytest.raises(ProviderError, match="key_damaged"):
        keys({**key("a").jwk, **spoil}).find("a", "RS256")


def test_the_private_part_of_a_key_is_never_read() -> None:
    jwk = {**key("a").jwk, "d": "AAAA", "p": "AAAA"}
    assert not keys(jwk).find("a", "RS256").is_private
