"""The settings of OpenID providers: one without a name, others by theirs."""

from pathlib import Path

import pytest

from service import config
from service.config import OpenIdProvider
from service.errors import Fault
from tests.support.commands import command
from tests.support.environment import STRONG

BASE = {"ENVIRONMENT": "development", "JWT_SECRET_KEY": STRONG}
PLAIN = {"OIDC_ISSUER": "https://id.example.org/realms/a", "OIDC_CLIENT_ID": "latchkey"}
PRODUCTION = {"PUBLIC_URL": "https://auth.example.org", "JWT_SECRET_KEY": STRONG, **PLAIN}
ISSUER = "must be a URL such as https://accounts.example.org, without a query"
NAMES = "must be names such as google,campus: a-z, 0-9 and _, without duplicates"


def read(tmp_path: Path, environ: dict[str, str], dotenv: str = "") -> tuple[OpenIdProvider, ...]:
    """Return the providers of some settings."""
    path = tmp_path / ".env"
    path.write_text(dotenv)
    return config.load(environ, path).openid


def faults(tmp_path: Path, environ: dict[str, str], dotenv: str = "") -> list[str]:
    """Return the faults that the settings are refused for."""
    with pytest.raises(Fault) as refusal:
        read(tmp_path, environ, dotenv)
    return str(refusal.value).split("\n  ")[1:]


def test_without_settings_there_is_none(tmp_path: Path) -> None:
    assert read(tmp_path, BASE) == ()


def test_the_provider_without_a_name_has_the_defaults_of_the_contract(tmp_path: Path) -> None:
    assert read(tmp_path, {**BASE, **PLAIN}) == (
        OpenIdProvider(
            name="oidc",
            label="OpenID Connect",
            issuer="https://id.example.org/realms/a",
            client_id="latchkey",
            client_secret=None,
            scopes=("openid", "profile", "email"),
            username_claim="preferred_username",
            roles_claim=None,
            roles=(),
            start="/auth/oidc",
            callback="/auth/oidc/callback",
        ),
    )


def test_each_named_provider_has_settings_of_its_own(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("of the campus\n")
    found = read(
        tmp_path,
        {
            **BASE,
            **PLAIN,
            "OIDC_PROVIDERS": "google, campus_2",
            "OIDC_CAMPUS_2_CLIENT_SECRET_FILE": str(secret),
        },
        "OIDC_GOOGLE_ISSUER=https://accounts.google.com\n"
        "OIDC_GOOGLE_CLIENT_ID=abc\n"
        "OIDC_GOOGLE_USERNAME_CLAIM=email\n"
        "OIDC_CAMPUS_2_ISSUER=https://id.campus.example/o/app/\n"
        "OIDC_CAMPUS_2_CLIENT_ID=def\n"
        "OIDC_CAMPUS_2_NAME=the campus\n"
        "OIDC_CAMPUS_2_SCOPES=openid groups\n"
        "OIDC_CAMPUS_2_ROLES_CLAIM=groups\n"
        "OIDC_CAMPUS_2_ROLES=manage_users=cn=it,dc=example; editors=staff\n",
    )
    plain, google, campus = found
    assert plain.start == "/auth/oidc"
    assert (google.label, google.username_claim, google.client_secret) == ("Google", "email", None)
    assert google.callback == "/auth/oidc/google/callback"
    assert campus.issuer == "https://id.campus.example/o/app/"
    assert (campus.label, campus.scopes) == ("the campus", ("openid", "groups"))
    assert campus.client_secret == "of the campus"
    assert campus.roles == (("manage_users", "cn=it,dc=example"), ("editors", "staff"))
    assert "of the campus" not in repr(found)


@pytest.mark.parametrize(
    ("name", "value", "fault"),
    [
        ("OIDC_ISSUER", "ftp://id.example.org", ISSUER),
        ("OIDC_ISSUER", "https://id.example.org?tenant=a", ISSUER),
        ("OIDC_ISSUER", "https://id.example.org/#a", ISSUER),
        ("OIDC_ISSUER", "https://somebody@id.example.org", ISSUER),
        ("OIDC_ISSUER", "https://id.example.org/{tenantid}/v2.0", ISSUER),
        ("OIDC_SCOPES", 'openid "a"', "must be scopes separated by spaces, including openid"),
        ("OIDC_PROVIDERS", "a-b", NAMES),
        ("OIDC_PROVIDERS", "a,a", NAMES),
        ("OIDC_PROVIDERS", "../etc", NAMES),
        ("OIDC_PROVIDERS", "a,oidc", "must not contain the reserved name oidc"),
        (
            "OIDC_PROVIDERS",
            "callback,logout",
            "must not contain the reserved name callback or logout",
        ),
        ("OIDC_PROVIDERS", "cas", "must not contain the reserved name cas"),
    ],
)
def test_a_bad_setting_says_what_it_should_be(
    tmp_path: Path, name: str, value: str, fault: str
) -> None:
    assert f"{name} {fault}" in faults(tmp_path, {**BASE, **PLAIN, name: value})


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({"OIDC_ISSUER": "https://a.example"}, ["OIDC_CLIENT_ID"]),
        ({"OIDC_CLIENT_ID": "a"}, ["OIDC_ISSUER"]),
        ({"OIDC_CLIENT_SECRET": "a"}, ["OIDC_ISSUER", "OIDC_CLIENT_ID"]),
        ({"OIDC_PROVIDERS": "google"}, ["OIDC_GOOGLE_ISSUER", "OIDC_GOOGLE_CLIENT_ID"]),
        ({**PLAIN, "OIDC_ROLES_CLAIM": "groups"}, ["OIDC_ROLES"]),
        ({**PLAIN, "OIDC_ROLES": "a=b"}, ["OIDC_ROLES_CLAIM"]),
    ],
)
def test_what_is_missing_is_named(
    tmp_path: Path, given: dict[str, str], missing: list[str]
) -> None:
    found = faults(tmp_path, {**BASE, **given})
    assert [fault.partition(" ")[0] for fault in found] == missing
    assert all(" is missing: " in fault for fault in found)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OIDC_SCOPES", "openid groups"),
        ("OIDC_USERNAME_CLAIM", "email"),
        ("OIDC_NAME", "the campus"),
        ("OIDC_ROLES_CLAIM", "groups"),
        ("OIDC_ROLES", "a=b"),
        ("OIDC_REQUIRE", "hd=example.org"),
        ("CAS_SERVICE_URL", "https://login.example.org"),
        ("CAS_VERSION", "2.0"),
        ("CAS_RENEW", "true"),
        ("CAS_TRUST_USERNAMES", "true"),
        ("CAS_ROLES_ATTRIBUTE", "memberOf"),
        ("CAS_ROLES", "a=b"),
    ],
)
def test_a_setting_of_a_provider_that_is_off_stops_the_start(
    tmp_path: Path, name: str, value: str
) -> None:
    switch = "CAS_URL" if name.startswith("CAS_") else "OIDC_ISSUER"
    whole = {"CAS_ROLES": "a=b", "CAS_ROLES_ATTRIBUTE": "b"} if "CAS_ROLES" in name else {}
    found = faults(tmp_path, {**BASE, **whole, name: value})
    assert f"{name} has no effect without {switch}" in found


@pytest.mark.parametrize(
    "given",
    [
        {"OIDC_SCOPES": "openid  profile email", "OIDC_USERNAME_CLAIM": "preferred_username"},
        {"OIDC_NAME": "OpenID Connect"},
        {"CAS_VERSION": "3.0", "CAS_RENEW": "no", "CAS_TRUST_USERNAMES": "0"},
        {"CAS_SERVICE_URL": "http://localhost:8080", "CAS_ROLES": "", "OIDC_REQUIRE": ""},
    ],
)
def test_a_default_needs_no_provider(tmp_path: Path, given: dict[str, str]) -> None:
    assert read(tmp_path, {**BASE, **given}) == ()


def test_two_names_are_not_the_same_client_of_one_provider(tmp_path: Path) -> None:
    twice = {**PLAIN, "OIDC_PROVIDERS": "campus", "OIDC_CAMPUS_ISSUER": PLAIN["OIDC_ISSUER"]}
    (fault,) = faults(tmp_path, {**BASE, **twice, "OIDC_CAMPUS_CLIENT_ID": PLAIN["OIDC_CLIENT_ID"]})
    assert fault == (
        "OIDC_CAMPUS_CLIENT_ID must differ from OIDC_CLIENT_ID: both are the same client of one"
        " provider, so its logout tokens would be ambiguous"
    )
    assert read(tmp_path, {**BASE, **twice, "OIDC_CAMPUS_CLIENT_ID": "another"})


def test_a_provider_that_nobody_named_is_a_stranger(tmp_path: Path) -> None:
    (fault,) = faults(tmp_path, {**BASE, "OIDC_GOOGLE_ISSUER": "https://accounts.google.com"})
    assert fault.startswith("OIDC_GOOGLE_ISSUER is not a setting")
    named = {**BASE, "OIDC_PROVIDERS": "google", "OIDC_GOOGLE_ISSUER": "https://a.example"}
    (fault,) = faults(tmp_path, {**named, "OIDC_GOOGLE_CLIENT_ID": "a", "OIDC_GOOGLE_ISUER": "b"})
    assert fault == "OIDC_GOOGLE_ISUER is not a setting; did you mean OIDC_GOOGLE_ISSUER?"
    (fault,) = faults(
        tmp_path, {**named, "OIDC_GOOGLE_CLIENT_ID": "a", "OIDC_GOOGLE_ISSUER_FILE": "b"}
    )
    assert "Only secrets can be in files" in fault


def test_in_production_a_provider_is_asked_over_https(tmp_path: Path) -> None:
    assert read(tmp_path, PRODUCTION)
    for address in ("http://id.example.org", "http://10.0.0.1", "http://localhost.example.org"):
        (fault,) = faults(tmp_path, {**PRODUCTION, "OIDC_ISSUER": address})
        assert fault == "OIDC_ISSUER must begin with https:// in production"
        assert read(tmp_path, {**BASE, **PLAIN, "OIDC_ISSUER": address})
    for address in ("http://localhost:9", "http://127.0.0.1:9", "http://[::1]:9"):
        assert read(tmp_path, {**PRODUCTION, "OIDC_ISSUER": address})


def test_the_secrets_are_not_shown(tmp_path: Path) -> None:
    done = command(
        tmp_path,
        "config",
        "check",
        **BASE,
        **PLAIN,
        OIDC_PROVIDERS="campus",
        OIDC_CAMPUS_ISSUER="https://campus.example",
        OIDC_CAMPUS_CLIENT_ID="a",
        OIDC_CAMPUS_CLIENT_SECRET="nobody sees this",
        OIDC_CAMPUS_ROLES_CLAIM="groups",
        OIDC_CAMPUS_ROLES="a=b; c=d",
    )
    assert done.returncode == 0, done.stderr
    assert "nobody sees this" not in done.stdout
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    for line in (
        "OIDC_ISSUER https://id.example.org/realms/a",
        "OIDC_NAME OpenID Connect",
        "OIDC_CAMPUS_CLIENT_SECRET (set)",
        "OIDC_CAMPUS_SCOPES openid profile email",
        "OIDC_CAMPUS_ROLES a=b; c=d",
        "OIDC_PROVIDERS campus",
    ):
        assert line in lines
