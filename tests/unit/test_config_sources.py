"""The environment, `.env` and names of settings: which counts, and what is no setting."""

from pathlib import Path

import pytest

from service import config
from service.config.settings import NOT_YET
from tests.support.config import DEVELOPMENT, Read, faults, read
from tests.support.environment import STRONG

__all__ = ["read"]


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
        ("CORS_ORIGIN", "CORS_ORIGINS"),
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
