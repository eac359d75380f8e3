"""The address of the database in the settings."""

from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from service import config
from service.errors import Fault
from tests.support.config import DATABASE, DEVELOPMENT, Read, read

__all__ = ["read"]


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


# --- What is read for commands that need less.


def test_the_database_can_be_read_without_the_other_settings(tmp_path: Path) -> None:
    environ = {"PORT": "none", "DATABASE_URL": "sqlite:///users.db", "JWT_SECRT": "x"}
    assert config.load_database(environ, tmp_path / ".env").path == Path("users.db")


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
