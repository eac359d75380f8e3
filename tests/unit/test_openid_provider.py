"""What a provider says of itself, and how often it is asked: without any network."""

import asyncio
import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from service import errors
from service.config import Config, OpenIdProvider
from service.providers.openid import (
    LoginRejected,
    ProviderError,
    authorization,
    id_token,
    jwks,
    metadata,
    token_endpoint,
)
from service.providers.openid.jwt import Header
from service.providers.openid.provider import MIN_REFRESH_INTERVAL, PAUSE, TTL, OpenIdClient
from tests.support.environment import Settings
from tests.support.evil import ALGORITHMS, half_hash, key
from tests.support.issuer import Signer

ISSUER = "https://id.example.org/tenant"
NOW = 1_800_000_000


def described(**changes: Any) -> bytes:
    """Return a good discovery document, changed; None takes a member away."""
    document = {
        "issuer": ISSUER,
        "authorization_endpoint": "https://id.example.org/authorize?tenant=a",
        "token_endpoint": "https://elsewhere.example/token",
        "jwks_uri": "https://id.example.org/jwks",
        **changes,
    }
    return json.dumps(
        {name: value for name, value in document.items() if value is not None}
    ).encode()


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


ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint",
             "end_session_endpoint")  # fmt: skip
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


def test_on_plain_http_only_where_the_issuer_is() -> None:
    there = "http://127.0.0.1:9080"
    address = f"{there}/x"
    document = described(issuer=there, **dict.fromkeys(ENDPOINTS, address))
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
        ({"id_token_signing_alg_values_supported": [1]}, "metadata"),
        ({"response_types_supported": ["id_token"]}, "metadata_response_types"),
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
        {"alg": None},
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


# --- The provider's answers ----------------------------------------------------------------------

PRIVATE = {algorithm: key(algorithm, algorithm) for algorithm in ALGORITHMS}


@pytest.fixture
def settings_of(settings: Settings) -> Callable[..., OpenIdProvider]:
    """Return what reads the settings of the plain provider."""

    def read(**changes: str) -> OpenIdProvider:
        made: Config = settings(OIDC_ISSUER=ISSUER, OIDC_CLIENT_ID="client", **changes)
        return made.openid[0]

    return read


class Script:
    """Answers for a provider; `now` is the time, `asked` what was asked."""

    def __init__(self, signer: Signer) -> None:
        self.now = float(NOW)
        self.asked: list[str] = []
        self.keys = [signer.jwk]
        self.fails = False
        self.wait = asyncio.Event()
        self.wait.set()

    async def send(self, _method: str, address: str, *_rest: object) -> tuple[int, bytes]:
        """Answer."""
        self.asked.append(address.rpartition("/")[2])
        await self.wait.wait()
        if self.fails:
            raise errors.ProviderUnavailable
        if address.endswith("openid-configuration"):
            supported = {"id_token_signing_alg_values_supported": list(ALGORITHMS)}
            return 200, described(**supported)
        return 200, json.dumps({"keys": self.keys}).encode()


def claims(**changes: Any) -> dict[str, Any]:
    """Return the claims of a good ID token."""
    return {
        "iss": ISSUER,
        "sub": "s",
        "aud": "client",
        "iat": NOW,
        "exp": NOW + 60,
        "nonce": "n",
        **changes,
    }


def tokens(signer: Signer, **changes: Any) -> token_endpoint.TokenResponse:
    """Return an answer of the token endpoint."""
    return token_endpoint.TokenResponse(signer.sign(claims(**changes)), "access")


Made = tuple[OpenIdClient, Script]


@pytest.fixture
def made(settings_of: Callable[..., OpenIdProvider]) -> Callable[[Signer], Made]:
    """Return what makes a provider that answers by a script."""

    def make(signer: Signer) -> Made:
        script = Script(signer)
        return OpenIdClient(
            settings_of(), script.send, lambda: script.now, lambda: script.now
        ), script

    return make


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_a_good_id_token_is_taken(made: Callable[[Signer], Made], algorithm: str) -> None:
    signer = PRIVATE[algorithm]
    provider, _ = made(signer)
    good = tokens(signer, at_hash=half_hash("access", algorithm))
    assert (await provider.identify(good, "n"))["sub"] == "s"
    bad = tokens(signer, at_hash=half_hash("other", algorithm))
    with pytest.raises(LoginRejected, match="at_hash"):
        await provider.identify(bad, "n")


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": ["client"]},
        {"aud": ["client", "another"], "azp": "client"},
        {"azp": "client"},
        {"iat": NOW + 59},
        {"iat": NOW - 590, "exp": NOW - 59},
        {"exp": NOW + 60.5},
        {"auth_time": NOW, "amr": ["pwd"], "acr": "1", "unknown": {"a": [1]}},
    ],
)
async def test_what_providers_may_say_is_taken(
    made: Callable[[Signer], Made], changes: dict[str, Any]
) -> None:
    provider, _ = made(PRIVATE["ES256"])
    assert await provider.identify(tokens(PRIVATE["ES256"], **changes), "n")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"exp": NOW - 60}, "exp"),
        ({"iat": NOW + 61}, "iat"),
        ({"iat": NOW - 601}, "iat"),
        ({"iat": float("1e400")}, "iat"),
        ({"aud": "client2"}, "aud"),
        ({"aud": ["CLIENT"]}, "aud"),
        ({"azp": ""}, "azp"),
    ],
)
def test_a_claim_at_the_edge_is_refused(changes: dict[str, Any], reason: str) -> None:
    expected = id_token.Expected(ISSUER, "client", "n", None, NOW)
    with pytest.raises(LoginRejected) as refused:
        id_token.check(claims(**changes), Header("RS256", None), expected)
    assert refused.value.reason == reason


async def test_the_provider_is_asked_once_however_many_come(made: Callable[[Signer], Made]) -> None:
    signer = PRIVATE["ES256"]
    provider, script = made(signer)
    script.wait.clear()
    coming = [asyncio.create_task(provider.identify(tokens(signer), "n")) for _ in range(50)]
    await asyncio.sleep(0)
    script.wait.set()
    assert len(await asyncio.gather(*coming)) == 50
    assert script.asked == ["openid-configuration", "jwks"]
    script.now += TTL - 1
    await provider.metadata()
    assert len(script.asked) == 2
    script.now += 2
    await provider.metadata()
    assert script.asked[2:] == ["openid-configuration"]


async def test_for_an_unknown_key_the_keys_are_fetched_once_a_minute(
    made: Callable[[Signer], Made],
) -> None:
    old, new = PRIVATE["ES256"], key("new", "ES256")
    provider, script = made(old)
    await provider.identify(tokens(old), "n")
    script.asked.clear()
    script.keys = [old.jwk, new.jwk]
    for seconds in (0, MIN_REFRESH_INTERVAL - 1):
        script.now = NOW + seconds
        with pytest.raises(ProviderError, match="key_unknown"):
            await provider.identify(tokens(new), "n")
    assert script.asked == []
    script.now = NOW + MIN_REFRESH_INTERVAL
    changes = {"iat": script.now, "exp": script.now + 60}
    assert await provider.identify(tokens(new, **changes), "n")
    for _ in range(20):
        with pytest.raises(ProviderError, match="key_unknown"):
            await provider.identify(tokens(key("stranger", "ES256"), **changes), "n")
    assert script.asked == ["jwks"]


async def test_another_key_of_the_same_name_is_found_within_a_minute(
    made: Callable[[Signer], Made],
) -> None:
    """Some providers give every key the same name, or none."""
    old, new = PRIVATE["ES256"], key(PRIVATE["ES256"].kid, "ES256")
    provider, script = made(old)
    await provider.identify(tokens(old), "n")
    script.asked.clear()
    script.keys = [new.jwk]
    with pytest.raises(ProviderError, match="signature"):
        await provider.identify(tokens(new), "n")
    assert script.asked == []
    script.now += MIN_REFRESH_INTERVAL
    changes = {"iat": script.now, "exp": script.now + 60}
    assert await provider.identify(tokens(new, **changes), "n")
    for _ in range(20):
        with pytest.raises(ProviderError, match="signature"):
            await provider.identify(tokens(old, **changes), "n")
    assert script.asked == ["jwks"]


async def test_a_clock_that_is_set_back_keeps_nothing_longer(
    settings_of: Callable[..., OpenIdProvider],
) -> None:
    script, passed = Script(PRIVATE["ES256"]), [0.0]
    provider = OpenIdClient(settings_of(), script.send, lambda: script.now, lambda: passed[0])
    await provider.metadata()
    script.now -= 30 * 86_400
    passed[0] += TTL
    await provider.metadata()
    assert script.asked == ["openid-configuration"] * 2


async def test_a_key_that_is_gone_is_forgotten_within_the_hour(
    made: Callable[[Signer], Made],
) -> None:
    old = PRIVATE["ES256"]
    provider, script = made(old)
    await provider.identify(tokens(old), "n")
    script.keys = [key("new", "ES256").jwk]
    script.now += TTL
    with pytest.raises(ProviderError, match="key_unknown"):
        await provider.identify(tokens(old, iat=script.now, exp=script.now + 9), "n")


async def test_a_provider_that_is_down_is_left_alone_for_a_moment(
    made: Callable[[Signer], Made],
) -> None:
    provider, script = made(PRIVATE["ES256"])
    script.fails = True
    raised = []
    for _ in range(20):
        with pytest.raises(errors.ProviderUnavailable) as refused:
            await provider.metadata()
        raised.append(refused.value)
    assert len({id(error) for error in raised}) == 20
    assert len(script.asked) == 1
    script.now += PAUSE
    script.fails = False
    assert (await provider.metadata()).issuer == ISSUER


# --- The question and the request for tokens -----------------------------------------------------


def test_every_attempt_has_secrets_of_256_bits() -> None:
    made = [authorization.new_secrets() for _ in range(100)]
    texts = {text for each in made for text in (each.nonce, each.verifier)}
    assert len(texts) == 200
    assert {len(text) for text in texts} == {43}
    assert all(text not in repr(made) for text in texts)


@pytest.mark.parametrize(
    ("methods", "secret", "header", "body"),
    [
        (["client_secret_basic"], "a: &+é", "client+id:a%3A+%26%2B%C3%A9", ""),
        (["client_secret_post"], "s&", "", "&client_id=client+id&client_secret=s%26"),
        (["none", "client_secret_basic"], None, "", "&client_id=client+id"),
    ],
)
def test_the_client_shows_itself_as_the_provider_wants(
    methods: list[str], secret: str | None, header: str, body: str
) -> None:
    about = metadata.read(described(token_endpoint_auth_methods_supported=methods), ISSUER)
    made = token_endpoint.request(
        about,
        client_id="client id",
        client_secret=secret,
        redirect_uri="https://us/cb",
        code="c&d",
        verifier="v",
    )
    shown = made.headers.get("Authorization", "").removeprefix("Basic ")
    assert base64.b64decode(shown).decode() == header
    start = "grant_type=authorization_code&redirect_uri=https%3A%2F%2Fus%2Fcb&code=c%26d"
    assert made.body == f"{start}&code_verifier=v{body}"
    assert "c&d" not in repr(made)
