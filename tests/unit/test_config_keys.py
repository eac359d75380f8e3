"""The settings of keys: the algorithm, the file of keys, and what commands read of them alone."""

from pathlib import Path

import pytest

from service import config
from service.errors import Fault
from tests.support.config import (
    ALGORITHM,
    DEVELOPMENT,
    DURATION,
    KEYS_FILE,
    TOO_SHORT,
    Read,
    faults,
    read,
)
from tests.support.environment import STRONG

__all__ = ["read"]

NO_KEYS_FILE = (
    "JWT_KEYS_FILE is missing: set the path of the private keys, such as data/keys.json, and"
    " generate the first key with: python -m service key generate"
)


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
