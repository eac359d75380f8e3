"""Settings that some providers need: parameters, discovery, authentication, a proxy, attributes."""

from pathlib import Path

import pytest

from service import config
from tests.support.config import PRODUCTION, Read, faults, read
from tests.support.environment import STRONG

__all__ = ["read"]

PLAIN = {"OIDC_ISSUER": "https://id.example.org", "OIDC_CLIENT_ID": "latchkey"}
DISCOVERY = "must be a URL such as https://id.example.org/.well-known/openid-configuration"
SECRET = {"OIDC_CLIENT_SECRET": "of the client"}
RESERVED = (
    "response_type", "response_mode", "client_id", "client_secret", "redirect_uri", "scope",
    "state", "nonce", "code", "code_challenge", "code_challenge_method", "code_verifier",
    "request", "request_uri",
)  # fmt: skip
CAMPUS = {
    "OIDC_PROVIDERS": "campus",
    "OIDC_CAMPUS_ISSUER": "https://campus.example.org",
    "OIDC_CAMPUS_CLIENT_ID": "latchkey",
    "OIDC_CAMPUS_CLIENT_SECRET": "of the campus",
}


@pytest.mark.parametrize("prefix", ["OIDC_", "OIDC_CAMPUS_"])
def test_each_provider_has_its_own(read: Read, prefix: str) -> None:
    given = {
        f"{prefix}AUTHORIZE_PARAMS": "prompt=select_account+consent&hd=example.org&x=%C3%A9",
        f"{prefix}DISCOVERY_URL": "https://id.example.org/a/openid-configuration?appid=1",
        f"{prefix}TOKEN_ENDPOINT_AUTH_METHOD": "Client_Secret_Post",
    }
    found = {
        each.name: each
        for each in read({**PRODUCTION, **PLAIN, **SECRET, **CAMPUS, **given}).openid
    }
    changed, other = found["campus"], found["oidc"]
    if prefix == "OIDC_":
        changed, other = other, changed
    assert dict(changed.authorize_params) == {
        "prompt": "select_account consent",
        "hd": "example.org",
        "x": "\u00e9",
    }
    assert changed.discovery_url == "https://id.example.org/a/openid-configuration?appid=1"
    assert changed.auth_method == "client_secret_post"
    assert (other.authorize_params, other.discovery_url, other.auth_method) == ((), None, None)


@pytest.mark.parametrize("name", RESERVED)
@pytest.mark.parametrize("shape", ["{}=x", "hd=a&{}=x", "{}=", "encoded"])
def test_what_latchkey_sets_is_refused(read: Read, name: str, shape: str) -> None:
    text = f"%{ord(name[0]):02x}{name[1:]}=x" if shape == "encoded" else shape.format(name)
    for spelling in (text, text.upper()):
        (fault,) = faults(read, {**PRODUCTION, **PLAIN, "OIDC_AUTHORIZE_PARAMS": spelling})
        assert fault.startswith(f"OIDC_AUTHORIZE_PARAMS must not contain {name}, ")


@pytest.mark.parametrize(
    "text",
    [
        "prompt",
        "=x",
        "prompt=",
        "a=1&a=2",
        "prompt=a&&hd=b",
        "a=%ff",
        "a=%0A",
        "a b=c",
        "é=1",
        "a=" + "b" * 2048,
    ],
)
def test_parameters_that_are_none_are_refused(read: Read, text: str) -> None:
    (fault,) = faults(read, {**PRODUCTION, **PLAIN, "OIDC_AUTHORIZE_PARAMS": text})
    assert fault.startswith(
        "OIDC_AUTHORIZE_PARAMS must be parameters such as prompt=select_account"
    )


def test_too_many_parameters_are_told_the_limit(read: Read) -> None:
    text = "a=" + "b" * 2047
    (fault,) = faults(read, {**PRODUCTION, **PLAIN, "OIDC_AUTHORIZE_PARAMS": text})
    assert fault == (
        "OIDC_AUTHORIZE_PARAMS must be parameters such as prompt=select_account&hd=example.org:"
        " at most 2,048 characters"
    )


@pytest.mark.parametrize(
    "url",
    ["", "ftp://id.example.org/x", "https://ada@id.example.org/x", "https://id.example.org/#a",
     "https://id example.org", "https://[::1", "//id.example.org", "https:///x"],
)  # fmt: skip
def test_a_discovery_url_is_one(read: Read, url: str) -> None:
    if not url:
        assert (
            read({**PRODUCTION, **PLAIN, "OIDC_DISCOVERY_URL": url}).openid[0].discovery_url is None
        )
        return
    assert faults(read, {**PRODUCTION, **PLAIN, "OIDC_DISCOVERY_URL": url}) == [
        f"OIDC_DISCOVERY_URL {DISCOVERY}"
    ]


def test_production_discovers_by_https_except_on_loopback(read: Read) -> None:
    for url in ("http://localhost:8080/x", "http://127.0.0.1/x", "http://[::1]/x"):
        assert (
            read({**PRODUCTION, **PLAIN, "OIDC_DISCOVERY_URL": url}).openid[0].discovery_url == url
        )
    assert faults(
        read, {**PRODUCTION, **PLAIN, "OIDC_DISCOVERY_URL": "http://keycloak:8080/x"}
    ) == ["OIDC_DISCOVERY_URL must begin with https:// in production"]


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_a_method_with_a_secret_needs_one(read: Read, method: str) -> None:
    given = {"OIDC_TOKEN_ENDPOINT_AUTH_METHOD": method}
    assert faults(read, {**PRODUCTION, **PLAIN, **given}) == [
        f"OIDC_CLIENT_SECRET is missing: {method} requires it"
    ]
    assert read({**PRODUCTION, **PLAIN, **SECRET, **given}).openid[0].auth_method == method


def test_a_public_client_has_no_secret(read: Read) -> None:
    given = {"OIDC_TOKEN_ENDPOINT_AUTH_METHOD": "none"}
    assert read({**PRODUCTION, **PLAIN, **given}).openid[0].auth_method == "none"
    assert faults(read, {**PRODUCTION, **PLAIN, **SECRET, **given}) == [
        "OIDC_TOKEN_ENDPOINT_AUTH_METHOD must not be none with a client secret"
    ]


@pytest.mark.parametrize(
    ("text", "proxy"),
    [
        ("http://Proxy.example.org:3128/", "http://proxy.example.org:3128"),
        ("http://10.0.0.1:8080", "http://10.0.0.1:8080"),
        (
            "http://ada:s%40cret@proxy.example.org:3128",
            "http://ada:s%40cret@proxy.example.org:3128",
        ),
        ("http://ada@proxy.example.org", "http://ada@proxy.example.org"),
        ("http://[::1]:3128", "http://[::1]:3128"),
    ],
)
def test_a_proxy_is_read(read: Read, text: str, proxy: str) -> None:
    assert read({**PRODUCTION, "OUTGOING_PROXY": text}).outgoing_proxy == proxy


@pytest.mark.parametrize(
    "text",
    ["proxy", "https://proxy.example.org", "socks5://proxy:1080", "http://", "http://a/path",
     "http://a b:c@proxy", "http://@proxy", "http://a:b@c@proxy", "http://proxy:99999",
     "http://p q"],
)  # fmt: skip
def test_what_is_no_proxy_is_refused(read: Read, text: str) -> None:
    (fault,) = faults(read, {**PRODUCTION, "OUTGOING_PROXY": text})
    assert fault.startswith("OUTGOING_PROXY must be the URL of an HTTP proxy")
    assert "b@c" not in fault


def test_they_are_shown_without_passwords(tmp_path: Path) -> None:
    settings = {
        "ENVIRONMENT": "test",
        "JWT_SECRET_KEY": STRONG,
        **PLAIN,
        **SECRET,
        **CAMPUS,
        "OIDC_CAMPUS_AUTHORIZE_PARAMS": "prompt=select_account&hd=example.org",
        "OIDC_DISCOVERY_URL": "https://id.example.org/x",
        "OIDC_TOKEN_ENDPOINT_AUTH_METHOD": "client_secret_post",
        "OUTGOING_PROXY": "http://ada:hidden@proxy.example.org:3128",
    }
    found = config.load(settings, tmp_path / ".env")
    shown = dict(config.openid.shown(found.openid))
    assert shown["OIDC_CAMPUS_AUTHORIZE_PARAMS"] == "prompt=select_account&hd=example.org"
    assert shown["OIDC_AUTHORIZE_PARAMS"] is None
    assert shown["OIDC_DISCOVERY_URL"] == "https://id.example.org/x"
    assert shown["OIDC_TOKEN_ENDPOINT_AUTH_METHOD"] == "client_secret_post"
    assert found.shown_proxy == "http://(set)@proxy.example.org:3128"
    assert "hidden" not in repr(found)


def test_the_sign_in_page_redirects_only_with_a_provider(read: Read) -> None:
    on = {"SIGN_IN_REDIRECT": "true"}
    assert faults(read, {**PRODUCTION, **on}) == [
        "SIGN_IN_REDIRECT has no effect without a provider: set CAS_URL or OIDC_ISSUER"
    ]
    for provider in (PLAIN, {"CAS_URL": "https://cas.example.org"}, CAMPUS):
        found = read({**PRODUCTION, **on, **provider})
        assert "SIGN_IN_REDIRECT" not in dict(config.findings(found))
    both = read({**PRODUCTION, **on, **PLAIN, **CAMPUS})
    warnings = dict(config.findings(both))
    assert "(oidc, campus)" in warnings["SIGN_IN_REDIRECT"]
    bypass = {"ENVIRONMENT": "test", "JWT_SECRET_KEY": STRONG, "BYPASS_AUTH": "true", **PLAIN, **on}
    assert "the development sign-in" in dict(config.findings(read(bypass)))["SIGN_IN_REDIRECT"]


def test_attributes_of_cas(read: Read) -> None:
    names = ("USERNAME", "NAME", "EMAIL")
    given = {f"CAS_{name}_ATTRIBUTE": name.lower() for name in names}
    found = read({**PRODUCTION, "CAS_URL": "https://cas.example.org", **given})
    assert (
        found.cas_username_attribute,
        found.cas_name_attribute,
        found.cas_email_attribute,
    ) == ("username", "name", "email")
    assert sorted(faults(read, {**PRODUCTION, **given})) == sorted(
        f"{name} has no effect without CAS_URL" for name in given
    )


@pytest.mark.parametrize("name", ["SIGN_IN_REDIRECTS", "OUTGOING_PROXIES", "OIDC_CAMPUS_DISCOVERY"])
def test_a_misspelt_name_is_refused(read: Read, name: str) -> None:
    (fault,) = faults(read, {**PRODUCTION, **CAMPUS, name: "true"})
    assert fault.startswith(f"{name} ")
