"""The settings: what is taken, what is refused, and in which words."""

from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service import config
from service.config import NAMES, parse, secret_strength
from tests.support.config import (
    ALGORITHM,
    DATABASE,
    DEVELOPMENT,
    DURATION,
    KEYS_FILE,
    PLACEHOLDER,
    PRODUCTION,
    TOO_SHORT,
    Read,
    faults,
    read,
)
from tests.support.environment import STRONG

__all__ = ["read"]

WORKERS = "must be a number from 1 to 128; use at most one per core"
PORT = "must be a port number from 1 to 65535"
HOST = "must be an IP address or a host name to listen on, such as 127.0.0.1"
ADDRESS = "must be a URL such as https://auth.example.org, without path or user name"
ADDRESSES = "must be URLs such as https://app.example.org, separated by commas"
NETWORKS = "must be networks such as 10.0.0.0/8 or ::1/128, separated by commas"
POSTGRESQL = (
    f"{DATABASE}; in the user, password and name, write all characters except letters, digits and"
    " -._~ as %XX"
)
ESCAPE = "has an invalid percent escape: write % itself as %25"
HOSTS = "must have hosts such as host, host:5432 or [::1]:5432, separated by commas"
OPTIONS = (
    "allows these parameters after its ?, each once: application_name, channel_binding, gssencmode,"
    " host, passfile, require_auth, sslcert, sslcrl, sslkey, sslmode, sslnegotiation, sslrootcert,"
    " target_session_attrs"
)
SSL_MODE = "must set sslmode to disable or allow or prefer or require or verify-ca or verify-full"
SUFFIX = (
    "must be your own domain: {} is a public suffix, so anyone can register a name under it and"
    " browsers reject its cookies"
)
NO_ADDRESS = "must be a domain such as example.org: browsers reject IP addresses here"
DOMAIN = "must be a domain name such as example.org, in ASCII form"
OUTSIDE = "must contain the host of PUBLIC_URL, auth.example.org, or browsers reject it"
COOKIE = "must be a cookie name: letters, digits and -_. , at most 64 characters"
CAS = "must be a URL such as https://cas.example.org/cas, without a query"
ISSUER = "must be a URL such as https://accounts.example.org, without a query"
CLAIM = "must be the name of a claim, such as preferred_username or groups"
RULES = "must be rules such as manage_documents=staff; manage_users=cn=it,dc=example"
REQUIREMENTS = (
    "must be requirements such as hd=example.org; groups=staff: claim=value, separated by"
    " semicolons"
)
AUDIENCE = "must be a name or a URL of at most 255 printable characters"
BOOLEAN = "must be true or false"
LENGTH = "must be a number from 8 to 64; 15 is recommended"
GUESSABLE = f"is guessable (too little entropy); {secret_strength.HOW_TO}"
NOT_TEXT = f"must be UTF-8 text; {secret_strength.HOW_TO}"
NOT_SECRET = f"is a public or private key, not a secret; {secret_strength.HOW_TO}"
BYPASS = (
    "must be false in production, because it signs users in without a password (on your own"
    " machine, set ENVIRONMENT=development; unset means production)"
)


PROXY = (
    "must be the URL of an HTTP proxy such as http://proxy.example.org:3128, with user:password@"
    " before the host if the proxy requires them, percent-encoded"
)
DISCOVERY = "must be a URL such as https://id.example.org/.well-known/openid-configuration"
METHODS = "must be client_secret_basic or client_secret_post or none"

BAD = [
    ("ENVIRONMENT", "staging", "must be development or test or production"),
    ("PUBLIC_URL", "auth.example.org", ADDRESS),
    ("PUBLIC_URL", "https://auth.example.org/latchkey", ADDRESS),
    ("PUBLIC_URL", "https://somebody@auth.example.org", ADDRESS),
    ("PUBLIC_URL", "https://auth.example.org:99999", ADDRESS),
    ("PUBLIC_URL", "http://auth.example.org", "must begin with https:// in production"),
    ("HOST", "all of them", HOST),
    ("HOST", "http://localhost", HOST),
    ("HOST", "a..b", HOST),
    ("HOST", "a" * 64, HOST),
    ("WORKERS", "0", WORKERS),
    ("WORKERS", "-1", WORKERS),
    ("WORKERS", "129", WORKERS),
    ("WORKERS", "1.5", WORKERS),
    ("WORKERS", "auto", WORKERS),
    ("WORKERS", "\u0662", WORKERS),  # an Arabic digit, which int() takes
    ("PORT", "0", PORT),
    ("PORT", "65536", PORT),
    ("PORT", "-1", PORT),
    ("PORT", "http", PORT),
    ("PORT", "\u0668\u0660", PORT),  # Arabic digits, which int() takes
    ("DATABASE_URL", "mysql://localhost/users", DATABASE),
    ("DATABASE_URL", "sqlite://users.db", DATABASE),
    ("DATABASE_URL", "sqlite:///", DATABASE),
    ("DATABASE_URL", "sqlite:///data/", DATABASE),
    ("DATABASE_URL", "sqlite:///:memory:", DATABASE),
    ("DATABASE_URL", "sqlite:///users.db?mode=memory", DATABASE),
    ("DATABASE_URL", "sqlite://[users", DATABASE),
    ("DATABASE_URL", "postgresql://user:password@host", POSTGRESQL),
    ("DATABASE_URL", "postgresql://user:password@host/", POSTGRESQL),
    ("DATABASE_URL", "postgresql:///a/b", POSTGRESQL),
    ("DATABASE_URL", "postgresql://user:pass/word@host/users", POSTGRESQL),
    ("DATABASE_URL", "postgresql://user:pass@word@host/users", POSTGRESQL),
    ("DATABASE_URL", "postgresql://user:pass:word@host/users", POSTGRESQL),
    ("DATABASE_URL", "postgresql://user:pass#word@host/users", POSTGRESQL),
    ("DATABASE_URL", "postgresql://user:pass word@host/users", POSTGRESQL),
    ("DATABASE_URL", "postgresql://user:pass\u2100word@host/users", POSTGRESQL),
    ("DATABASE_URL", "postgresql+psycopg://host/users", DATABASE),
    ("DATABASE_URL", "postgresql://user:100%@host/users", ESCAPE),
    ("DATABASE_URL", "postgresql://user:%00@host/users", ESCAPE),
    ("DATABASE_URL", "postgresql://user:%ff@host/users", ESCAPE),
    ("DATABASE_URL", "postgresql://host:0/users", HOSTS),
    ("DATABASE_URL", "postgresql://host:65536/users", HOSTS),
    ("DATABASE_URL", "postgresql://host:http/users", HOSTS),
    ("DATABASE_URL", "postgresql://one,,two/users", HOSTS),
    ("DATABASE_URL", "postgresql://::1/users", HOSTS),
    ("DATABASE_URL", "postgresql://host/users?sslmod=require", OPTIONS),
    ("DATABASE_URL", "postgresql://host/users?sslmode=require&sslmode=disable", OPTIONS),
    ("DATABASE_URL", "postgresql://host/users?options=-csearch_path%3Dx", OPTIONS),
    ("DATABASE_URL", "postgresql://host/users?password=x", OPTIONS),
    ("DATABASE_URL", "postgresql://host/users?sslmode", OPTIONS),
    ("DATABASE_URL", "postgresql://host/users?sslmode=on", SSL_MODE),
    ("DATABASE_URL", "postgresql://host/users?sslmode=", SSL_MODE),
    ("JWT_SECRET_KEY", STRONG[:31], TOO_SHORT),
    ("JWT_SECRET_KEY", "change-me-" + STRONG, PLACEHOLDER),
    ("JWT_SECRET_KEY", "x7Gq" * 16, GUESSABLE),
    ("JWT_SECRET_KEY", "01" * 32, GUESSABLE),
    ("JWT_SECRET_KEY", "\udcff" * 32, NOT_TEXT),
    (
        "JWT_SECRET_KEY",
        f"-----BEGIN PUBLIC KEY-----\n{STRONG}\n-----END PUBLIC KEY-----",
        NOT_SECRET,
    ),
    ("JWT_SECRET_KEY", "-----BEGIN OPENSSH PRIVATE KEY-----", NOT_SECRET),
    ("JWT_SECRET_KEY", f"ssh-rsa AAAAB3NzaC1yc2EAAAADAQAB{STRONG} ada", NOT_SECRET),
    ("JWT_SECRET_KEY", '{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ"}', NOT_SECRET),
    ("JWT_SECRET_KEY_PREVIOUS", "too short", TOO_SHORT),
    ("JWT_ALGORITHM", "none", ALGORITHM),
    ("JWT_ALGORITHM", "PS256", ALGORITHM),
    ("JWT_KEYS_FILE", "data/", KEYS_FILE),
    ("JWT_KEYS_FILE", "keys\0.json", KEYS_FILE),
    ("REVOCATION_MAX_STALENESS", "0", DURATION),
    ("JWT_EXPIRES_IN", "0", DURATION),
    ("JWT_EXPIRES_IN", "-6h", DURATION),
    ("JWT_EXPIRES_IN", "6 h", DURATION),
    ("JWT_EXPIRES_IN", "6H", DURATION),
    ("JWT_EXPIRES_IN", "1.5h", DURATION),
    ("JWT_EXPIRES_IN", "2w", DURATION),
    ("JWT_EXPIRES_IN", "366d", DURATION),
    ("JWT_EXPIRES_IN", "9" * 5000, DURATION),
    ("JWT_AUDIENCE", "two\nlines", AUDIENCE),
    ("JWT_AUDIENCE", "a" * 256, AUDIENCE),
    ("ALLOWED_REDIRECTS", "*", ADDRESSES),
    ("ALLOWED_REDIRECTS", "https://a.example.org,https://b.example.org/path", ADDRESSES),
    ("CORS_ORIGINS", "*", ADDRESSES),
    ("CORS_ORIGINS", "null", ADDRESSES),
    ("CORS_ORIGINS", "app.example.org", ADDRESSES),
    ("CORS_ORIGINS", "https://*.example.org", ADDRESSES),
    ("CORS_ORIGINS", "https://a.example.org https://b.example.org", ADDRESSES),
    ("COOKIE_NAME", "two words", COOKIE),
    ("COOKIE_NAME", "a=b", COOKIE),
    ("COOKIE_NAME", "na\u00efve", COOKIE),
    ("COOKIE_NAME", "a" * 65, COOKIE),
    ("COOKIE_DOMAIN", "com", SUFFIX.format("com")),
    ("COOKIE_DOMAIN", ".Co.UK", SUFFIX.format("co.uk")),
    ("COOKIE_DOMAIN", "github.io", SUFFIX.format("github.io")),
    ("COOKIE_DOMAIN", "localhost", SUFFIX.format("localhost")),
    ("COOKIE_DOMAIN", "10.0.0.1", NO_ADDRESS),
    ("COOKIE_DOMAIN", "0x7f.1", NO_ADDRESS),
    ("COOKIE_DOMAIN", "[::1]", DOMAIN),
    ("COOKIE_DOMAIN", "https://example.org", DOMAIN),
    ("COOKIE_DOMAIN", "example.org:443", DOMAIN),
    ("COOKIE_DOMAIN", "example..org", DOMAIN),
    ("COOKIE_DOMAIN", "example.org.", DOMAIN),
    ("COOKIE_DOMAIN", "example.org; Path=/x", DOMAIN),
    ("COOKIE_DOMAIN", "b\u00fccher.example", DOMAIN),
    ("COOKIE_DOMAIN", "a" * 64 + ".org", DOMAIN),
    ("COOKIE_DOMAIN", "other.org", OUTSIDE),
    ("COOKIE_DOMAIN", "xample.org", OUTSIDE),
    ("COOKIE_DOMAIN", "app.example.org", OUTSIDE),
    ("COOKIE_SAMESITE", "Loose", "must be Strict or Lax"),
    (
        "COOKIE_SAMESITE",
        "none",
        "must be Strict or Lax; None would send the cookie with cross-site requests",
    ),
    ("COOKIE_SECURE", "perhaps", BOOLEAN),
    ("COOKIE_SECURE", "false", "must be true in production"),
    ("BYPASS_AUTH", "2", BOOLEAN),
    ("BYPASS_AUTH", "true", BYPASS),
    ("BYPASS_NETWORKS", "10.0.0.1/8", f"{NETWORKS} (10.0.0.1/8 has host bits set)"),
    (
        "TRUSTED_PROXIES",
        "10.0.0.1,proxy",
        f"{NETWORKS} ('proxy' does not appear to be an IPv4 or IPv6 network)",
    ),
    ("PROVISION_USERS", "maybe", BOOLEAN),
    ("PROVISION_USERNAMES", "guess", "must be exact or adapt"),
    ("PROVISION_UPDATES", "sometimes", BOOLEAN),
    ("SIGN_IN_REDIRECT", "always", BOOLEAN),
    ("OUTGOING_PROXY", "proxy:3128", PROXY),
    ("CAS_URL", "cas.example.org", CAS),
    ("CAS_URL", "https://cas.example.org/cas?x=1", CAS),
    ("CAS_URL", "https://ada@cas.example.org/cas", CAS),
    ("CAS_URL", "https://cas.example.org//evil.example", CAS),
    ("CAS_URL", "http://cas.example.org/cas", "must begin with https:// in production"),
    ("CAS_SERVICE_URL", "https://auth.example.org/auth/cas", ADDRESS),
    ("CAS_VERSION", "1.0", "must be 3.0 or 2.0"),
    ("CAS_RENEW", "always", BOOLEAN),
    ("CAS_TRUST_USERNAMES", "some", BOOLEAN),
    ("CAS_USERNAME_ATTRIBUTE", "two\nlines", AUDIENCE),
    ("CAS_NAME_ATTRIBUTE", "two\nlines", AUDIENCE),
    ("CAS_EMAIL_ATTRIBUTE", "two\nlines", AUDIENCE),
    ("CAS_ROLES_ATTRIBUTE", "two\nlines", AUDIENCE),
    ("CAS_ROLES", "staff", RULES),
    ("CAS_ROLES", "Manage Users=staff", RULES),
    ("CAS_ROLES", "manage_users=", RULES),
    ("OIDC_ISSUER", "id.example.org", ISSUER),
    (
        "OIDC_CLIENT_ID",
        "caf\u00e9",
        "must be the client ID from the provider, at most 255 characters",
    ),
    (
        "OIDC_CLIENT_SECRET",
        "two\nlines",
        "must be the client secret from the provider, on one line",
    ),
    ("OIDC_SCOPES", "profile", "must be scopes separated by spaces, including openid"),
    ("OIDC_USERNAME_CLAIM", "two words", CLAIM),
    ("OIDC_NAME", "n" * 65, "must be a display name of at most 64 characters"),
    ("OIDC_ROLES_CLAIM", "two words", CLAIM),
    ("OIDC_ROLES", "staff", RULES),
    ("OIDC_REQUIRE", "staff", REQUIREMENTS),
    ("OIDC_AUTHORIZE_PARAMS", "state=x", "must not contain state, which Latchkey sets"),
    ("OIDC_DISCOVERY_URL", "id.example.org", DISCOVERY),
    ("OIDC_TOKEN_ENDPOINT_AUTH_METHOD", "private_key_jwt", METHODS),
    (
        "OIDC_PROVIDERS",
        "Google",
        "must be names such as google,campus: a-z, 0-9 and _, without duplicates",
    ),
    ("PASSWORD_AUTH", "maybe", BOOLEAN),
    ("PASSKEY_AUTH", "2", BOOLEAN),
    ("SECOND_FACTOR", "true", "must be off or optional or required"),
    ("PASSWORD_MIN_LENGTH", "7", LENGTH),
    ("PASSWORD_MIN_LENGTH", "65", LENGTH),
    ("PASSWORD_MIN_LENGTH", "8.5", LENGTH),
    ("PASSWORD_MIN_LENGTH", "-8", LENGTH),
    ("PASSWORD_MIN_LENGTH", "\u0661\u0665", LENGTH),  # Arabic digits, which int() takes
    ("LOG_LEVEL", "loud", "must be debug or info or warning or error"),
    ("LOG_FORMAT", "xml", "must be text or json"),
]


@pytest.mark.parametrize(
    ("name", "value", "message"), BAD, ids=[f"{name}={value[:24]!a}" for name, value, _ in BAD]
)
def test_a_bad_setting_is_named_with_what_it_should_be(
    read: Read, name: str, value: str, message: str
) -> None:
    assert faults(read, {**PRODUCTION, name: value}) == [f"{name} {message}"]


def test_the_table_of_bad_settings_leaves_none_out() -> None:
    assert {name for name, _, _ in BAD} == set(NAMES)


def test_every_fault_is_named_at_once_and_once(read: Read) -> None:
    bad = {name: value for name, value, _ in reversed(BAD)}
    named = [fault.split()[0] for fault in faults(read, {**bad, "JWT_SECRT": "x"})]
    assert sorted(named) == sorted([*NAMES, "JWT_SECRT"])


def test_without_settings_only_what_has_no_safe_default_is_missing(read: Read) -> None:
    assert faults(read, {}) == [
        f"JWT_SECRET_KEY is missing; {secret_strength.HOW_TO}",
        "PUBLIC_URL is missing: set the https:// address that browsers use",
    ]


@pytest.mark.parametrize(
    ("environ", "fault"),
    [
        (
            {"COOKIE_NAME": "__Host-jwt"},
            "COOKIE_NAME starts with __Host- or __Secure-, which requires COOKIE_SECURE=true",
        ),
        ({"JWT_SECRET_KEY": STRONG[:31]}, f"JWT_SECRET_KEY {TOO_SHORT}"),
        ({"JWT_SECRET_KEY": ""}, f"JWT_SECRET_KEY is missing; {secret_strength.HOW_TO}"),
    ],
    ids=["prefix of a cookie that is not Secure", "short key", "no key"],
)
def test_development_has_its_rules_too(read: Read, environ: dict[str, str], fault: str) -> None:
    assert faults(read, {**DEVELOPMENT, "COOKIE_SECURE": "false", **environ}) == [fault]


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("ENVIRONMENT", "Development", "development"),
        ("PUBLIC_URL", "HTTPS://Auth.Example.org:443/", "https://auth.example.org"),
        ("HOST", "::", "::"),
        ("PORT", "65535", 65535),
        ("WORKERS", "128", 128),
        ("JWT_KEYS_FILE", " /run/keys.json ", Path("/run/keys.json")),
        ("JWT_EXPIRES_IN", "365d", 365 * 86400),
        ("JWT_AUDIENCE", " https://api.example.org ", "https://api.example.org"),
        (
            "ALLOWED_REDIRECTS",
            "https://A.example.org/, http://b.example.org:8000,",
            {"https://a.example.org", "http://b.example.org:8000"},
        ),
        (
            "CORS_ORIGINS",
            "https://App.example.org:443/, http://localhost:5173",
            {"https://app.example.org", "http://localhost:5173"},
        ),
        ("COOKIE_NAME", "__Host-jwt", "__Host-jwt"),
        ("COOKIE_DOMAIN", ".Sub.Localhost.TEST", "sub.localhost.test"),
        ("COOKIE_SAMESITE", "lax", "Lax"),
        ("COOKIE_SECURE", "off", False),
        ("BYPASS_AUTH", "Yes", True),
        ("BYPASS_NETWORKS", "10.1.2.3, fc00::/7", (ip_network("10.1.2.3"), ip_network("fc00::/7"))),
        ("TRUSTED_PROXIES", ",", ()),
        ("SECOND_FACTOR", "Required", "required"),
        ("PASSWORD_MIN_LENGTH", "64", 64),
        ("LOG_LEVEL", "WARNING", "warning"),
        ("LOG_FORMAT", "json", "json"),
    ],
)
def test_a_good_setting_is_read(read: Read, name: str, text: str, value: object) -> None:
    under = {"PUBLIC_URL": "http://auth.sub.localhost.test"} if name == "COOKIE_DOMAIN" else {}
    assert getattr(read({**DEVELOPMENT, **under, name: text}), name.lower()) == value


@pytest.mark.parametrize("host", ["example.org", "auth.example.org", "a.b.example.org"])
def test_the_domain_of_the_cookie_contains_our_host(read: Read, host: str) -> None:
    environ = {**PRODUCTION, "PUBLIC_URL": f"https://{host}", "COOKIE_DOMAIN": "example.org"}
    assert read(environ).cookie_domain == "example.org"


def test_a_cookie_for_one_host_has_no_domain(read: Read) -> None:
    environ = {**PRODUCTION, "COOKIE_DOMAIN": "example.org", "COOKIE_NAME": "__Host-jwt"}
    assert faults(read, environ) == [
        "COOKIE_DOMAIN must be unset if COOKIE_NAME starts with __Host-"
    ]


@given(
    count=st.integers(min_value=1, max_value=365 * 86400),
    unit=st.sampled_from([("", 1), ("s", 1), ("m", 60), ("h", 3600), ("d", 86400)]),
)
def test_a_duration_is_its_count_times_its_unit_up_to_a_year(
    count: int, unit: tuple[str, int]
) -> None:
    letter, seconds = unit
    if count * seconds > 365 * 86400:
        with pytest.raises(ValueError, match="at most 365d"):
            parse.duration(f"{count}{letter}")
    else:
        assert parse.duration(f"{count}{letter}") == count * seconds


def test_the_defaults_that_depend_on_another_setting_follow_it(read: Read) -> None:
    development, production = read({**DEVELOPMENT, "PORT": "9000"}), read(PRODUCTION)
    assert (development.public_url, development.log_format) == ("http://localhost:9000", "text")
    assert (production.environment, production.log_format) == ("production", "json")
    assert (development.production, production.production) == (False, True)


@pytest.mark.parametrize(
    ("environ", "word"),
    [
        ({"ENVIRONMENT": " Development "}, "development"),
        ({"ENVIRONMENT": "test"}, "test"),
        ({"ENVIRONMENT": "production"}, "production"),
        ({"ENVIRONMENT": "dev"}, "production"),
        ({}, "production"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_whatever_is_not_clearly_something_else_is_production(
    tmp_path: Path, environ: dict[str, str], word: str
) -> None:
    assert config.environment(environ, tmp_path / ".env") == word
