"""Settings that another user can change or put in place: production does not start with them."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from service import config
from service.errors import Fault
from tests.support.commands import command
from tests.support.environment import STRONG
from tests.support.owners import AS_ROOT, USER
from tests.unit.test_file_access import PRODUCTION, folder

STORES = ("sqlite",)  # only files have owners

__all__ = ["folder"]

BYPASS = "ENVIRONMENT=development\nBYPASS_AUTH=true\nBYPASS_NETWORKS=0.0.0.0/0\n"
GIVEN = {
    "JWT_SECRET_KEY": STRONG,
    "PUBLIC_URL": "https://auth.example.org",
    "DATABASE_URL": "sqlite:////nowhere/a.db",
}


@pytest.fixture
def dotenv(folder: Path) -> Path:
    """Return a `.env` that is not exposed yet, in a folder that is not."""
    path = folder / ".env"
    path.write_text(BYPASS)
    path.chmod(0o600)
    return path


def expose(dotenv: Path, how: str) -> None:
    if how == "the file":
        dotenv.chmod(0o666)
    elif how == "the folder":
        dotenv.parent.chmod(0o777)
    else:
        os.chown(dotenv, USER, USER)
        dotenv.parent.chmod(0o1777)


EXPOSED = pytest.mark.parametrize(
    "how",
    ["the file", "the folder", pytest.param("another's, in a sticky folder", marks=AS_ROOT)],
)


@EXPOSED
def test_a_file_that_others_can_change_does_not_end_production(dotenv: Path, how: str) -> None:
    assert config.load(GIVEN, dotenv).bypass_auth
    assert config.environment(GIVEN, dotenv) == "development"
    expose(dotenv, how)
    with pytest.raises(Fault, match=rf"{dotenv} names a file .* ENVIRONMENT .* of the process"):
        config.load(GIVEN, dotenv)
    assert config.environment(GIVEN, dotenv) == "production"


@EXPOSED
@pytest.mark.parametrize("word", ["development", "test"])
def test_the_environment_of_the_process_does(dotenv: Path, how: str, word: str) -> None:
    expose(dotenv, how)
    assert config.load({**GIVEN, "ENVIRONMENT": word}, dotenv).environment == word
    assert config.environment({"ENVIRONMENT": word}, dotenv) == word


@EXPOSED
@pytest.mark.parametrize("text", ["", "# OIDC_REQUIRE=hd=example.org\n", "JWT_ALGORITHM=\n"])
def test_a_file_that_sets_nothing_may_have_been_emptied(dotenv: Path, how: str, text: str) -> None:
    dotenv.write_text(text)
    assert config.load({**GIVEN, **PRODUCTION, "JWT_ALGORITHM": "HS256"}, dotenv)
    expose(dotenv, how)
    with pytest.raises(Fault, match=f"{dotenv} names a file "):
        config.load({**GIVEN, **PRODUCTION, "JWT_ALGORITHM": "HS256"}, dotenv)


def test_or_taken_away(dotenv: Path) -> None:
    settings = {**GIVEN, **PRODUCTION, "JWT_ALGORITHM": "HS256"}
    dotenv.unlink()
    assert config.load(settings, dotenv)
    dotenv.parent.chmod(0o777)
    with pytest.raises(Fault, match=rf"{dotenv} names a file that does not exist, in a folder "):
        config.load(settings, dotenv)
    assert config.load({**settings, "ENVIRONMENT": "development"}, dotenv)


@pytest.mark.parametrize(
    "words", [("serve",), ("user", "list"), ("key", "list"), ("migrate", "up"), ("idp",)]
)
def test_no_command_believes_it(dotenv: Path, words: tuple[str, ...]) -> None:
    dotenv.chmod(0o666)
    done = command(dotenv.parent, *words, **GIVEN, JWT_KEYS_FILE=f"{dotenv.parent}/keys.json")
    assert (done.returncode, done.stdout) == (1, "")
    what = "production" if words == ("idp",) else "that every user of this machine can change"
    assert what in done.stderr


def test_a_command_does_not_read_where_the_database_is_from_a_file_of_others(folder: Path) -> None:
    address = folder / "secret"
    address.write_text("sqlite:///a.db")
    environ = {"DATABASE_URL_FILE": str(address)}
    assert config.load_database(environ, folder / "no.env").path == Path("a.db")
    address.chmod(0o666)
    with pytest.raises(Fault, match="DATABASE_URL_FILE names a file that every user"):
        config.load_database(environ, folder / "no.env")
    environ["ENVIRONMENT"] = "test"
    assert config.load_database(environ, folder / "no.env").path == Path("a.db")


@AS_ROOT
def test_root_reads_the_settings_of_the_user_of_the_service(folder: Path) -> None:
    (folder / ".env").write_text("DATABASE_URL=sqlite:///a.db\n")
    for each in (folder / ".env", folder):
        os.chown(each, USER, USER)
    assert config.load_database({}, folder / ".env").path == Path("a.db")


# --- A pipe in the place of a secret.


@contextmanager
def fed(path: Path) -> Iterator[None]:
    """Write a secret to a pipe, once somebody reads it."""

    def write() -> None:
        with path.open("w") as pipe:
            pipe.write(STRONG)

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    yield
    writer.join(5)


def read_secret(path: Path) -> str | None:
    environ = {**PRODUCTION, "JWT_ALGORITHM": "HS256", "JWT_SECRET_KEY_FILE": str(path)}
    return config.load(environ, path.parents[2] / "no.env").jwt_secret_key


@pytest.fixture
def pipe(folder: Path) -> Path:
    """Return a pipe that only its owner can write to."""
    path = folder / "pipe"
    os.mkfifo(path, 0o600)
    return path


def test_a_pipe_of_ones_own_is_read(pipe: Path) -> None:
    with fed(pipe):
        assert read_secret(pipe) == STRONG


def test_a_pipe_that_others_can_write_to_or_replace_is_refused(pipe: Path) -> None:
    pipe.chmod(0o622)
    with fed(pipe), pytest.raises(Fault, match=r"every user of this machine can change\. Run: ch"):
        read_secret(pipe)
    pipe.chmod(0o600)
    pipe.parent.chmod(0o777)
    with fed(pipe), pytest.raises(Fault, match=r"in a folder where every user of this machine"):
        read_secret(pipe)


@AS_ROOT
def test_a_pipe_of_another_user_is_refused(pipe: Path) -> None:
    os.chown(pipe, USER, USER)
    pipe.parent.chmod(0o1777)
    with fed(pipe), pytest.raises(Fault, match=r"that belongs to another user\. Run: chown -h 0 "):
        read_secret(pipe)


def test_a_pipe_without_a_name_is_of_the_process_that_started_us(folder: Path) -> None:
    reading, writing = os.pipe()
    os.write(writing, STRONG.encode())
    os.close(writing)
    environ = {
        **PRODUCTION,
        "JWT_ALGORITHM": "HS256",
        "JWT_SECRET_KEY_FILE": f"/proc/self/fd/{reading}",
    }
    assert config.load(environ, folder / "no.env").jwt_secret_key == STRONG
    os.close(reading)
