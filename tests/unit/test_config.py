"""The settings: what is taken, what is refused, and in which words."""

import base64
import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import pytest
from dotenv import dotenv_values
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict

from service import config
from service.config import NAMES, SECRETS, Config, parse, secret_strength
from service.config.setting import Setting
from service.config.settings import NOT_YET, SETTINGS
from service.errors import Fault
from tests.support.environment import ROOT, STRONG
from tests.support.thoroughness import some

DEVELOPMENT = {"ENVIRONMENT": "development", "JWT_SECRET_KEY": STRONG}
PRODUCTION = {"PUBLIC_URL": "https://auth.example.org", "JWT_SECRET_KEY": STRONG}
EXAMPLE = (ROOT / ".env.example").read_text()

DURATION = "must be a duration such as 90s, 15m, 6h or 7d, at most 365d"
WORKERS = "must be a number from 1 to 128; use at most one per core"
PORT = "must be a port number from 1 to 65535"
HOST = "must be an IP address or a host name to listen on, such as 127.0.0.1"
ADDRESS = "must be a URL such as https://auth.example.org, without path or user name"
ADDRESSES = "must be URLs such as https://app.example.org, separated by commas"
NETWORKS = "must be networks such as 10.0.0.0/8 or ::1/128, separated by commas"
DATABASE = (
    "must be sqlite:///data/latchkey.db (four slashes: an absolute path)"
    " or postgresql://user:password@host:5432/name"
)
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
ALGORITHM = "must be HS256 or EdDSA or ES256 or RS256"
KEYS_FILE = "must be the path of a file, such as data/keys.json"
NO_KEYS_FILE = (
    "JWT_KEYS_FILE is missing: set the path of the private keys, such as data/keys.json, and"
    " generate the first key with: python -m service key generate"
)
TOO_SHORT = f"must have at least 32 bytes (RFC 7518 section 3.2); {secret_strength.HOW_TO}"
PLACEHOLDER = f"looks like an example or a placeholder; {secret_strength.HOW_TO}"
GUESSABLE = f"is guessable (too little entropy); {secret_strength.HOW_TO}"
NOT_TEXT = f"must be UTF-8 text; {secret_strength.HOW_TO}"
NOT_SECRET = f"is a public or private key, not a secret; {secret_strength.HOW_TO}"
BYPASS = (
    "must be false in production, because it signs users in without a password (on your own"
    " machine, set ENVIRONMENT=development; unset means production)"
)

Read = Callable[..., Config]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Return what loads the settings from an environment and, if given, the text of a `.env`."""

    def load(environ: dict[str, str], dotenv: str | bytes = "") -> Config:
        path = tmp_path / ".env"
        path.write_bytes(dotenv.encode() if isinstance(dotenv, str) else dotenv)
        return config.load(environ, path)

    return load


def faults(read: Read, environ: dict[str, str], dotenv: str | bytes = "") -> list[str]:
    """Return the faults that the settings are refused for, one text for each."""
    with pytest.raises(Fault) as refusal:
        read(environ, dotenv)
    title, *lines = str(refusal.value).split("\n  ")
    assert title == "Invalid settings:"
    return lines


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
    ("CAS_URL", "cas.example.org", CAS),
    ("CAS_URL", "https://cas.example.org/cas?x=1", CAS),
    ("CAS_URL", "https://ada@cas.example.org/cas", CAS),
    ("CAS_URL", "https://cas.example.org//evil.example", CAS),
    ("CAS_URL", "http://cas.example.org/cas", "must begin with https:// in production"),
    ("CAS_SERVICE_URL", "https://auth.example.org/auth/cas", ADDRESS),
    ("CAS_VERSION", "1.0", "must be 3.0 or 2.0"),
    ("CAS_RENEW", "always", BOOLEAN),
    ("CAS_TRUST_USERNAMES", "some", BOOLEAN),
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
    (
        "OIDC_PROVIDERS",
        "Google",
        "must be names such as google,campus: a-z, 0-9 and _, without duplicates",
    ),
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
        ("COOKIE_NAME", "__Host-jwt", "__Host-jwt"),
        ("COOKIE_DOMAIN", ".Sub.Localhost.TEST", "sub.localhost.test"),
        ("COOKIE_SAMESITE", "lax", "Lax"),
        ("COOKIE_SECURE", "off", False),
        ("BYPASS_AUTH", "Yes", True),
        ("BYPASS_NETWORKS", "10.1.2.3, fc00::/7", (ip_network("10.1.2.3"), ip_network("fc00::/7"))),
        ("TRUSTED_PROXIES", ",", ()),
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


@pytest.mark.parametrize("name", ["EdDSA", "ES256", "RS256"])
def test_an_asymmetric_algorithm_needs_the_file_of_keys_and_no_secret(
    read: Read, name: str
) -> None:
    environ = {"ENVIRONMENT": "development", "JWT_ALGORITHM": name.lower()}
    assert faults(read, environ) == [NO_KEYS_FILE]
    loaded = read({**environ, "JWT_KEYS_FILE": "data/keys.json"})
    assert (loaded.jwt_algorithm, loaded.jwt_secret_key) == (name, None)
    assert loaded.jwt_keys_file == Path("data/keys.json")
    assert read({**DEVELOPMENT, **environ, "JWT_KEYS_FILE": "k"}).jwt_secret_key == STRONG
    weak = {**environ, "JWT_KEYS_FILE": "k", "JWT_SECRET_KEY": STRONG[:31]}
    assert faults(read, weak) == [f"JWT_SECRET_KEY {TOO_SHORT}"]


@pytest.mark.parametrize("name", ["JWT_KEYS_FILE_FILE", "JWT_KEY_FILE", "JWT_KEYS_FIEL"])
def test_the_file_of_keys_is_a_path_and_no_secret_in_a_file(read: Read, name: str) -> None:
    (fault,) = faults(read, {**DEVELOPMENT, name: "data/keys.json"})
    assert fault.startswith(f"{name} is not a setting; did you mean JWT_")


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///data/users.db", Path("data/users.db")),
        ("sqlite:////var/lib/users.db", Path("/var/lib/users.db")),
    ],
    ids=["relative", "absolute"],
)
def test_three_slashes_are_relative_and_four_absolute(read: Read, url: str, path: Path) -> None:
    assert read({**DEVELOPMENT, "DATABASE_URL": url}).database.path == path


@pytest.mark.parametrize(
    ("url", "shown", "host", "name"),
    [
        (
            "postgresql://ada:s3cr%40t@db:5432/users",
            "postgresql://ada@db:5432/users",
            "db",
            "users",
        ),
        ("postgres://ada:s3cret@db/users", "postgresql://ada@db/users", "db", "users"),
        ("postgresql:///users", "postgresql:///users", None, "users"),
        ("postgresql://ada@/users?host=/run/s", "postgresql://ada@/users", "/run/s", "users"),
        ("postgresql://[::1]:6000/u%20s", "postgresql://[::1]:6000/u%20s", "::1", "u s"),
        (
            "postgresql://ada:s3cret@a:1,b:2/u?target_session_attrs=read-write&sslmode=verify-full",
            "postgresql://ada@a:1,b:2/u",
            "a,b",
            "u",
        ),
    ],
)
def test_an_address_of_postgresql_means_to_us_what_it_means_to_its_library(
    read: Read, url: str, shown: str, host: str | None, name: str
) -> None:
    loaded = read({**DEVELOPMENT, "DATABASE_URL": url}).database
    assert (loaded.path, loaded.shown) == (None, shown)
    assert loaded.safe_url == url.replace(":s3cr%40t@", "@").replace(":s3cret@", "@")
    for text in (str(loaded), repr(loaded), loaded.safe_url):
        assert "s3cr" not in text
    meant = conninfo_to_dict(loaded.url)
    assert (meant.get("host"), meant["dbname"]) == (host, name)


def test_the_address_of_the_database_may_stand_in_a_file(read: Read, tmp_path: Path) -> None:
    (tmp_path / "url").write_text("postgresql://ada:s3cret@db/users\n")
    loaded = read({**DEVELOPMENT, "DATABASE_URL_FILE": str(tmp_path / "url")})
    assert loaded.database.url == "postgresql://ada:s3cret@db/users"
    assert "s3cret" not in repr(loaded)


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


def test_the_secrets_are_not_in_what_a_config_prints(read: Read) -> None:
    loaded = read({**PRODUCTION, "JWT_SECRET_KEY_PREVIOUS": STRONG[::-1]})
    assert STRONG not in repr(loaded)
    assert STRONG[::-1] not in repr(loaded)


# --- Where a value comes from.


def test_the_environment_wins_over_dotenv(read: Read) -> None:
    loaded = read({**DEVELOPMENT, "PORT": "9001"}, "PORT=9002\nHOST=::1\n")
    assert (loaded.port, loaded.host) == (9001, "::1")


def test_an_empty_value_counts_as_unset(read: Read) -> None:
    assert read({**DEVELOPMENT, "PORT": ""}, "PORT=9002").port == 9002
    assert read({**DEVELOPMENT, "PORT": "", "JWT_SECRET_KEY_FILE": ""}, "PORT=").port == 8080


@pytest.mark.parametrize("name", ["JWT_AUDIENCE", "PORT", "ALLOWED_REDIRECTS"])
def test_a_value_of_blanks_counts_as_unset(read: Read, name: str) -> None:
    assert read({**DEVELOPMENT, name: "  "}) == read(DEVELOPMENT)


def test_of_two_lines_in_dotenv_the_later_counts_even_when_it_is_empty(read: Read) -> None:
    assert read(DEVELOPMENT, "PORT=9001\nPORT=9002\n").port == 9002
    assert read(DEVELOPMENT, "PORT=9001\nPORT=\n").port == 8080


@pytest.mark.parametrize(
    "dotenv",
    [
        "PORT=9000",
        "export PORT=9000\n",
        "# a comment\n\n  PORT = '9000'  # another\r\n",
        '\ufeffPORT="9000"\n',
        "COMPOSE_PROJECT_NAME=x\nPORT=9000\n",
    ],
    ids=["plain", "export", "quotes and comments", "byte order mark", "another program's line"],
)
def test_dotenv_is_read_as_other_tools_read_it(read: Read, dotenv: str) -> None:
    assert read(DEVELOPMENT, dotenv).port == 9000


def test_a_dollar_in_dotenv_stands_for_itself(read: Read) -> None:
    key = "${PATH}" + STRONG
    assert read({"ENVIRONMENT": "test"}, f"JWT_SECRET_KEY={key}").jwt_secret_key == key


@pytest.mark.parametrize(
    ("dotenv", "line"),
    [
        ("nonsense", 1),
        ("PORT 9000\nHOST=::1", 1),
        ("HOST=::1\n=9000\n", 2),
        ("# a comment\nHOST='open\n", 2),
        ("HOST=::1\n\n\nnonsense\n", 4),
        ("HOST=::1\r\n\r\nnonsense", 3),
    ],
    ids=["alone", "first", "last", "after a comment", "after blank lines", "after a blank CRLF"],
)
def test_a_bad_line_in_dotenv_is_named_by_its_number(
    tmp_path: Path, read: Read, dotenv: str, line: int
) -> None:
    assert faults(read, DEVELOPMENT, dotenv) == [f"{tmp_path}/.env, line {line} is not NAME=value"]


def test_every_bad_line_in_dotenv_is_named(read: Read) -> None:
    assert len(faults(read, DEVELOPMENT, "one\nPORT=9000\ntwo\n")) == 2


def test_a_dotenv_that_is_not_text_is_named(tmp_path: Path, read: Read) -> None:
    assert faults(read, DEVELOPMENT, b"PORT=\xff") == [
        f"{tmp_path}/.env cannot be read: it is not UTF-8"
    ]


def test_a_missing_dotenv_is_no_fault(tmp_path: Path) -> None:
    assert config.load(DEVELOPMENT, tmp_path / ".env").port == 8080


# --- Secrets in files.


@pytest.mark.parametrize(
    ("content", "secret"),
    [
        (STRONG, STRONG),
        (f"{STRONG}\n", STRONG),
        (f"{STRONG}\r\n", STRONG),
        (f" {STRONG} \n", f" {STRONG} "),
        (f"{STRONG}\n{STRONG}\n", f"{STRONG}\n{STRONG}"),
        (f"{STRONG}\u00e9\n", f"{STRONG}\u00e9"),
    ],
    ids=["no line end", "LF", "CRLF", "blanks", "two lines", "beyond ASCII"],
)
def test_a_secret_file_is_taken_without_its_last_line_end(
    tmp_path: Path, read: Read, content: str, secret: str
) -> None:
    (tmp_path / "key").write_bytes(content.encode())
    environ = {"ENVIRONMENT": "test", "JWT_SECRET_KEY_FILE": f"{tmp_path}/key"}
    assert read(environ).jwt_secret_key == secret


def test_every_secret_can_be_given_as_a_file(tmp_path: Path, read: Read) -> None:
    plain = {
        "DATABASE_URL": "sqlite:///users.db",
        "JWT_SECRET_KEY": STRONG,
        "JWT_SECRET_KEY_PREVIOUS": STRONG[::-1],
        "OIDC_CLIENT_SECRET": " of the client ",
    }
    assert plain.keys() == SECRETS
    for name, value in plain.items():
        (tmp_path / name).write_text(f"{value}\n")
    from_files = {f"{name}_FILE": str(tmp_path / name) for name in plain}
    others = {
        "ENVIRONMENT": "test",
        "OIDC_ISSUER": "https://id.example.org",
        "OIDC_CLIENT_ID": "a",
    }
    assert read({**others, **from_files}) == read({**others, **plain})


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (None, "must be the path of a readable text file: it does not exist"),
        (b"", "names an empty file"),
        (b"\r\n", "names an empty file"),
        (b"\xff" * 32, "must be the path of a readable text file: it is not UTF-8"),
    ],
    ids=["missing", "empty", "only a line end", "not text"],
)
def test_a_bad_secret_file_is_named(
    tmp_path: Path, read: Read, content: bytes | None, fault: str
) -> None:
    if content is not None:
        (tmp_path / "key").write_bytes(content)
    environ = {"JWT_SECRET_KEY_PREVIOUS_FILE": f"{tmp_path}/key"}
    assert faults(read, {**DEVELOPMENT, **environ}) == [f"JWT_SECRET_KEY_PREVIOUS_FILE {fault}"]


def test_a_directory_is_no_secret_file(tmp_path: Path, read: Read) -> None:
    environ = {**DEVELOPMENT, "JWT_SECRET_KEY_PREVIOUS_FILE": str(tmp_path)}
    assert faults(read, environ) == [
        "JWT_SECRET_KEY_PREVIOUS_FILE must be the path of a readable text file: it is a folder"
    ]


def test_a_secret_file_that_is_too_long_is_refused_and_never_cut(
    tmp_path: Path, read: Read
) -> None:
    (tmp_path / "key").write_text(STRONG * 2000)
    environ = {**DEVELOPMENT, "JWT_SECRET_KEY_PREVIOUS_FILE": f"{tmp_path}/key"}
    (fault,) = faults(read, environ)
    assert fault.startswith("JWT_SECRET_KEY_PREVIOUS_FILE ")


def test_a_secret_given_plainly_and_as_a_file_is_refused(read: Read) -> None:
    assert faults(read, {**DEVELOPMENT, "JWT_SECRET_KEY_FILE": "/nowhere"}) == [
        "JWT_SECRET_KEY is set twice, as JWT_SECRET_KEY and as JWT_SECRET_KEY_FILE: remove one"
    ]


def test_the_environment_wins_over_dotenv_whichever_of_the_two_names_a_file(
    tmp_path: Path, read: Read
) -> None:
    (tmp_path / "key").write_text(STRONG)
    other = "another-key-that-is-long-enough-for-development"
    from_file = {"ENVIRONMENT": "test", "JWT_SECRET_KEY_FILE": f"{tmp_path}/key"}
    assert read(from_file, f"JWT_SECRET_KEY={other}").jwt_secret_key == STRONG
    assert read(DEVELOPMENT, f"JWT_SECRET_KEY_FILE={tmp_path}/key").jwt_secret_key == STRONG


def test_a_file_that_the_environment_overrules_need_not_be_there(read: Read) -> None:
    assert read(DEVELOPMENT, "JWT_SECRET_KEY_FILE=/nowhere").jwt_secret_key == STRONG


# --- Names.


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("JWT_SECRET", "JWT_SECRET_KEY"),
        ("JWT_SECRET_KEY_FIEL", "JWT_SECRET_KEY_FILE"),
        ("JWT_EXPIRE_IN", "JWT_EXPIRES_IN"),
        ("BYPASS_AUHT", "BYPASS_AUTH"),
        ("COOKIE_SAME_SITE", "COOKIE_SAMESITE"),
        ("TRUSTED_PROXY", "TRUSTED_PROXIES"),
        ("ALLOWED_REDIRECT", "ALLOWED_REDIRECTS"),
    ],
)
def test_a_misspelt_name_is_refused_with_a_suggestion(read: Read, name: str, meant: str) -> None:
    fault = f"{name} is not a setting; did you mean {meant}?"
    assert faults(read, {**DEVELOPMENT, name: "x"}) == [fault]
    assert faults(read, DEVELOPMENT, f"{name}=x") == [fault]


def test_a_name_of_ours_that_is_like_no_other_is_refused_without_one(read: Read) -> None:
    assert faults(read, {**DEVELOPMENT, "OIDC_Q": "x"}) == [
        "OIDC_Q is not a setting; check its spelling, or remove it"
    ]


@pytest.mark.parametrize("name", ["ENVIROMENT", "DATABSE_URL", "LOG_LEVL", "PUBLIC_URI"])
def test_what_is_nearly_a_setting_is_refused_in_dotenv_and_somebody_elses_outside(
    read: Read, name: str
) -> None:
    (fault,) = faults(read, DEVELOPMENT, f"{name}=x")
    assert fault.startswith(f"{name} is not a setting; did you mean ")
    assert read({**DEVELOPMENT, name: "x"}) == read(DEVELOPMENT)


@pytest.mark.parametrize("name", sorted(NOT_YET))
def test_a_setting_of_a_later_version_is_refused(read: Read, name: str) -> None:
    assert faults(read, {**DEVELOPMENT, name: "something"}) == [
        f"{name} is not available in this version: remove it"
    ]


@pytest.mark.parametrize(
    ("name", "default"),
    [
        ("PROVISION_USERS", "False"),
        ("PASSWORD_AUTH", "false"),
        ("PASSKEY_AUTH", "false"),
        ("REVOCATION_MAX_STALENESS", "60s"),
        ("OIDC_SCOPES", "openid profile email"),
        ("OIDC_USERNAME_CLAIM", "preferred_username"),
    ],
)
def test_the_default_of_a_later_setting_may_stand_there(
    read: Read, name: str, default: str
) -> None:
    assert read({**DEVELOPMENT, name: default}) == read(DEVELOPMENT)


# --- Secrets good enough to sign with.


@given(seed=st.binary(max_size=8), length=st.integers(min_value=16, max_value=96))
@hypothesis_settings(max_examples=some(300))
def test_random_text_of_enough_bytes_is_always_a_good_secret(seed: bytes, length: int) -> None:
    random = hashlib.shake_256(seed).digest(length)
    longer = hashlib.shake_256(seed).digest(length + 8)  # 16 bytes are 22 characters of base64
    for text in (random.hex(), base64.b64encode(longer).decode()):
        assert secret_strength.fault(text, production=True) is None


@given(
    part=st.text(st.characters(codec="ascii"), min_size=1, max_size=8),
    times=st.integers(min_value=32, max_value=200),
)
def test_a_short_text_repeated_is_never_one(part: str, times: int) -> None:
    assert secret_strength.fault(part * times, production=True) is not None


@pytest.mark.parametrize(
    "word", ["changeme", "Replace-Me", "PLACEHOLDER", "secret", "Passw0rd", "your_", "deadbeef"]
)
def test_a_placeholder_makes_the_strongest_secret_a_placeholder(word: str) -> None:
    assert secret_strength.fault(f"{STRONG}{word}{STRONG}", production=True) == PLACEHOLDER
    assert secret_strength.fault(f"{STRONG}{word}{STRONG}", production=False) is None


@pytest.mark.parametrize("name", [".env.example", ".env.test"])
def test_a_key_that_everybody_can_read_here_is_refused_in_production(name: str) -> None:
    published = dotenv_values(ROOT / name)["JWT_SECRET_KEY"]
    assert secret_strength.fault(str(published), production=True) is not None


# --- What is read for commands that need less.


def test_the_database_can_be_read_without_the_other_settings(tmp_path: Path) -> None:
    environ = {"PORT": "none", "DATABASE_URL": "sqlite:///users.db", "JWT_SECRT": "x"}
    assert config.load_database(environ, tmp_path / ".env").path == Path("users.db")


def test_the_settings_of_keys_can_be_read_without_the_others(tmp_path: Path) -> None:
    environ = {"PORT": "none", "JWT_KEYS_FILE": "k.json", "JWT_EXPIRES_IN": "15m", "JWT_SECRT": "x"}
    found = config.load_keys(environ, tmp_path / ".env")
    assert (found.path, found.algorithm, found.expires_in) == (Path("k.json"), "HS256", 900)


@pytest.mark.parametrize(
    ("environ", "fault"),
    [
        ({}, NO_KEYS_FILE),
        ({"JWT_KEYS_FILE": "data/"}, f"JWT_KEYS_FILE {KEYS_FILE}"),
        ({"JWT_ALGORITHM": "none", "JWT_KEYS_FILE": "k"}, f"JWT_ALGORITHM {ALGORITHM}"),
        ({"JWT_EXPIRES_IN": "6 h", "JWT_KEYS_FILE": "k"}, f"JWT_EXPIRES_IN {DURATION}"),
    ],
    ids=["no file", "file", "algorithm", "lifetime"],
)
def test_what_is_wrong_with_the_settings_of_keys_is_named_alone(
    tmp_path: Path, environ: dict[str, str], fault: str
) -> None:
    with pytest.raises(Fault) as refusal:
        config.load_keys({"PORT": "none", **environ}, tmp_path / "no.env")
    assert str(refusal.value) == f"Invalid settings:\n  {fault}"


@pytest.mark.parametrize(
    ("environ", "dotenv", "fault"),
    [
        ({"DATABASE_URL": "users.db"}, "", f"DATABASE_URL {DATABASE}"),
        ({"DATABASE_URL_FILE": "/nowhere"}, "", "DATABASE_URL_FILE must be the path of"),
        ({}, "nonsense", ".env, line 1 is not NAME=value"),
    ],
    ids=["value", "file", "dotenv"],
)
def test_what_is_wrong_with_the_database_setting_is_named_alone(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    environ: dict[str, str],
    dotenv: str,
    fault: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(".env").write_text(dotenv)
    with pytest.raises(Fault) as refusal:
        config.load_database({"PORT": "none", **environ})
    _, only = str(refusal.value).split("\n  ")
    assert only.startswith(fault)


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


# --- The example cannot drift from the table.


def test_the_example_has_one_line_for_each_setting_and_no_other() -> None:
    names = re.findall(r"^(?:# )?([A-Z][A-Z0-9_]*)=", EXAMPLE, re.MULTILINE)
    assert sorted(names) == sorted(NAMES)


def test_the_example_sets_what_development_needs_and_nothing_else() -> None:
    assert dotenv_values(ROOT / ".env.example") == {
        "ENVIRONMENT": "development",
        "JWT_SECRET_KEY": "example-only-run-the-line-above-and-put-its-output-here",
        "BYPASS_AUTH": "true",
    }


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_a_line_that_is_commented_out_shows_the_default(read: Read, setting: Setting) -> None:
    changed = re.sub(rf"^# ({setting.name}=)", r"\1", EXAMPLE, flags=re.MULTILINE)
    environ = {"JWT_SECRET_KEY": STRONG}
    assert read(environ, changed) == read(environ, EXAMPLE)


def test_the_example_with_a_fresh_key_loads(read: Read) -> None:
    fresh = re.sub(r"^JWT_SECRET_KEY=.*$", f"JWT_SECRET_KEY={STRONG}", EXAMPLE, flags=re.MULTILINE)
    assert read({}, fresh) == replace(read({}, EXAMPLE), jwt_secret_key=STRONG)


def test_the_settings_of_cas_as_they_are_read(read: Read) -> None:
    plain = read(PRODUCTION)
    assert (plain.cas_url, plain.cas_service_url) == (None, plain.public_url)
    found = read(
        {
            **PRODUCTION,
            "CAS_URL": "https://CAS.example.org:443/cas/",
            "CAS_SERVICE_URL": "https://login.example.org/",
            "CAS_ROLES_ATTRIBUTE": "memberOf",
            "CAS_ROLES": " manage_users = cn=it,dc=example ;manage_documents=staff;",
        }
    )
    assert found.cas_url == "https://cas.example.org/cas"
    assert found.cas_service_url == "https://login.example.org"
    assert list(map(str, found.cas_roles)) == [
        "manage_users=cn=it,dc=example",
        "manage_documents=staff",
    ]
    assert found.form_origins == {"https://cas.example.org"}


def test_settings_of_cas_that_do_not_fit_together(read: Read) -> None:
    rules = {"CAS_ROLES": "manage_users=staff"}
    (fault,) = faults(read, {**PRODUCTION, **rules})
    assert fault.startswith("CAS_ROLES_ATTRIBUTE is missing")
    (fault,) = faults(read, {**PRODUCTION, "CAS_ROLES_ATTRIBUTE": "memberOf"})
    assert fault.startswith("CAS_ROLES is missing")
    url = {"CAS_URL": "https://cas.example.org", "CAS_SERVICE_URL": "http://auth.example.org"}
    assert faults(read, {**PRODUCTION, **url}) == [
        "CAS_SERVICE_URL must begin with https:// in production"
    ]
    found = read({"ENVIRONMENT": "test", "JWT_SECRET_KEY": STRONG, "CAS_URL": "http://localhost:1"})
    assert found.cas_url == "http://localhost:1"
