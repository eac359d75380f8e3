"""Whatever a provider says is taken, or refused with one of our two exceptions: nothing else."""

import contextlib
import json
import time
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.providers.openid import LoginRejected, ProviderError, id_token, logout_token, metadata
from service.providers.openid.id_token import Expected
from service.providers.openid.jwks import KeySet
from service.providers.openid.jwt import Header
from tests.support.evil import LOGOUT_EVENT, key
from tests.support.thoroughness import some

ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)
CLAIMS = ("iss", "sub", "aud", "exp", "iat", "nbf", "nonce", "azp", "at_hash", "sid", "auth_time",
          "acr", "amr", "events", "jti", "c_hash")  # fmt: skip
NOT_USED = ("amr", "acr", "auth_time", "c_hash", "s_hash", "name", "groups", "typ", "scope")
MAY_BE_NULL = ("azp", "at_hash", "nbf", "sid", *NOT_USED)
UNKNOWN = st.text(max_size=12).filter(lambda name: name not in CLAIMS)
KEYS = [key(algorithm, algorithm).jwk for algorithm in ("RS256", "ES256", "ES512", "EdDSA")]
MEMBERS = ("kty", "crv", "x", "y", "n", "e", "use", "key_ops", "alg", "kid")
ISSUER = "https://id.example.org"
ENDPOINTS = {
    name: f"{ISSUER}/{name}"
    for name in ("authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint")
}
SUPPORTED = ("response_types_supported", "code_challenge_methods_supported",
             "id_token_signing_alg_values_supported", "token_endpoint_auth_methods_supported",
             "authorization_response_iss_parameter_supported")  # fmt: skip
ADDRESS = st.text("htps:/[]@.%#?a1- \\:\n", max_size=30).map("https://".__add__)
often = settings(max_examples=some(300), suppress_health_check=[HealthCheck.too_slow])


@often
@given(st.dictionaries(st.sampled_from(CLAIMS), ANY, max_size=3), st.sampled_from([None, "token"]))
def test_claims(changes: dict[str, Any], access_token: str | None) -> None:
    now = int(time.time())
    good = {"iss": ISSUER, "aud": "us", "sub": "s", "iat": now, "exp": now + 60, "jti": "j"}
    claims = {**good, "nonce": "n", **changes}
    with contextlib.suppress(LoginRejected):
        expected = Expected(ISSUER, "us", "n", access_token, now)
        id_token.check(claims, Header("RS256", None), expected)
        assert (claims["iss"], claims["nonce"]) == (ISSUER, "n")
        assert claims["aud"] == "us" or "us" in claims["aud"]
    with contextlib.suppress(LoginRejected):
        told = {**good, "events": {LOGOUT_EVENT: {}}, **changes}
        logout = logout_token.check(told, issuer=ISSUER, client_id="us", now=now)
        assert logout.sid or logout.subject
        assert changes.get("nonce") is None


@often
@given(st.dictionaries(st.sampled_from(NOT_USED) | UNKNOWN, ANY, max_size=6))
def test_claims_that_are_not_used_decide_nothing(more: dict[str, Any]) -> None:
    now = int(time.time())
    good = {"iss": ISSUER, "aud": "us", "sub": "s", "iat": now, "exp": now + 60, "jti": "j"}
    told = {**dict.fromkeys(MAY_BE_NULL), **more, **good}
    expected = Expected(ISSUER, "us", "n", "token", now)
    id_token.check({**told, "nonce": "n"}, Header("RS256", None), expected)
    events: dict[str, Any] = {"events": {LOGOUT_EVENT: {}}, "nonce": None}
    assert logout_token.check({**told, **events}, issuer=ISSUER, client_id="us", now=now)


@often
@given(
    st.sampled_from(KEYS),
    st.dictionaries(
        st.sampled_from(MEMBERS), ANY | st.text("AQIDabcd_-=", max_size=60), max_size=3
    ),
    st.sampled_from(["RS256", "ES256", "ES512", "EdDSA"]),
)
def test_keys(good: dict[str, Any], changes: dict[str, Any], algorithm: str) -> None:
    with contextlib.suppress(ProviderError):
        found = KeySet(json.dumps({"keys": [{**good, **changes}]}).encode()).find(None, algorithm)
        assert not found.is_private


@often
@given(st.dictionaries(st.sampled_from([*ENDPOINTS, *SUPPORTED]), ANY | ADDRESS, max_size=3))
def test_descriptions(changes: dict[str, Any]) -> None:
    document = json.dumps({"issuer": ISSUER, **ENDPOINTS, **changes}).encode()
    with contextlib.suppress(ProviderError):
        found = metadata.read(document, ISSUER)
        assert found.token_endpoint.startswith("https://")
        assert found.jwks_uri.isprintable()
