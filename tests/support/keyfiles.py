"""A key file, the commands that change it, and a server that signs with it."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.commands import command
from tests.support.servers import Server, Start


def within(seconds: float, happened: Callable[[], bool]) -> None:
    """Assert that something happens soon."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def key(path: Path, *arguments: str, **settings: str) -> str:
    """Run a `key` command on a file, and return what it printed."""
    given = {"JWT_ALGORITHM": "EdDSA", "JWT_KEYS_FILE": str(path), **settings}
    done = command(path.parent, "key", *arguments, **given)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a key file with one key that signs."""
    made = tmp_path / "keys.json"
    key(made, "generate")
    return made


@pytest.fixture
def rotating(start: Start, path: Path) -> Server:
    """Return a server that signs with the key of `path`."""
    return start(JWT_ALGORITHM="EdDSA", JWT_KEYS_FILE=str(path), JWT_SECRET_KEY="")
