"""Secrets in the settings: files of secrets, and which secrets are too weak."""

import base64
import hashlib
from pathlib import Path

import pytest
from dotenv import dotenv_values
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from service.config import SECRETS, secret_strength
from tests.support.config import DEVELOPMENT, PLACEHOLDER, PRODUCTION, Read, faults, read
from tests.support.environment import ROOT, STRONG
from tests.support.thoroughness import some

__all__ = ["read"]


def test_the_secrets_are_not_in_what_a_config_prints(read: Read) -> None:
    loaded = read({**PRODUCTION, "JWT_SECRET_KEY_PREVIOUS": STRONG[::-1]})
    assert STRONG not in repr(loaded)
    assert STRONG[::-1] not in repr(loaded)


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
        "OUTGOING_PROXY": "http://ada:secret@proxy.example.org:3128",
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
