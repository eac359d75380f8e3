"""Settings that are good, and what says which are not."""

from collections.abc import Callable
from pathlib import Path

import pytest

from service import config
from service.config import Config, secret_strength
from service.errors import Fault
from tests.support.environment import STRONG

DEVELOPMENT = {"ENVIRONMENT": "development", "JWT_SECRET_KEY": STRONG}
PRODUCTION = {"PUBLIC_URL": "https://auth.example.org", "JWT_SECRET_KEY": STRONG}

DURATION = "must be a duration such as 90s, 15m, 6h or 7d, at most 365d"
DATABASE = (
    "must be sqlite:///data/latchkey.db (four slashes: an absolute path)"
    " or postgresql://user:password@host:5432/name"
)
ALGORITHM = "must be HS256 or EdDSA or ES256 or RS256"
KEYS_FILE = "must be the path of a file, such as data/keys.json"
TOO_SHORT = f"must have at least 32 bytes (RFC 7518 section 3.2); {secret_strength.HOW_TO}"
PLACEHOLDER = f"looks like an example or a placeholder; {secret_strength.HOW_TO}"

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
