"""What a provider says of who signs in, and how often it is asked: without any network."""

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
