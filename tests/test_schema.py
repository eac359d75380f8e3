"""The migrations: made, taken back, repeated, and never half done."""

import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from service import db, schema
from service.errors import Fault
from tests.conftest import ROOT

FIRST = "0001.users-and-roles"
UP = """
import sys
from pathlib import Path
from service import schema
sys.stdin.readline()
schema.up(Path(sys.argv[1]))
"""


Act = Callable[[Path], object]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where a database may come to be."""
    return tmp_path / "data" / "latchkey.db"


@pytest.fixture
def migrations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of migrations, with a good one, that stands in for ours."""
    folder = tmp_path / "migrations"
    folder.mkdir()
    (folder / "0001.a.sql").write_text("CREATE TABLE a (x INTEGER);")
    (folder / "0001.a.rollback.sql").write_text("DROP TABLE a;")
    monkeypatch.setattr(schema, "DIRECTORY", folder)
    return folder


@pytest.fixture
def no_umask() -> Iterator[None]:
    """Take nothing away from the permissions of new files."""
    before = os.umask(0)
    yield
    os.umask(before)


def new(path: Path) -> Path:
    """Make an empty database."""
    db.create_file(path)
    return path


def ask(path: Path, sql: str) -> list[tuple[object, ...]]:
    """Read from a database, past all of ours."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def tables(path: Path) -> set[object]:
    """Return the tables of a database that are not the migrations' own."""
    names = {name for (name,) in ask(path, "SELECT name FROM sqlite_master WHERE type = 'table'")}
    return {name for name in names if not str(name).startswith(("_yoyo", "yoyo", "sqlite"))}


def pending(path: Path) -> list[str]:
    """Return the migrations that are not applied."""
    return [name for name, applied_at in schema.status(path) if applied_at is None]


def test_up_makes_the_tables_down_takes_them_back_and_status_tells(path: Path) -> None:
    assert pending(path) == [FIRST]
    assert schema.up(path) == [FIRST]
    assert pending(path) == []
    assert tables(path) == {"users", "roles", "user_roles"}
    assert schema.down(path) == [FIRST]
    assert pending(path) == [FIRST]
    assert tables(path) == set()
    assert schema.down(path) == []


def test_status_tells_when_each_was_applied(path: Path) -> None:
    schema.up(path)
    ((name, applied_at),) = schema.status(path)
    assert name == FIRST
    (now,) = ask(path, "SELECT strftime('%Y-%m-%dT%H', 'now')")[0]
    assert str(applied_at).replace(" ", "T").startswith(str(now))


def test_up_twice_changes_nothing(path: Path) -> None:
    schema.up(path)
    before = ask(path, "SELECT * FROM _yoyo_migration")
    assert schema.up(path) == []
    assert ask(path, "SELECT * FROM _yoyo_migration") == before


@pytest.mark.usefixtures("no_umask")
def test_only_its_owner_can_read_the_database_and_its_folder(path: Path) -> None:
    schema.up(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_was_there_keeps_its_permissions(path: Path) -> None:
    path.parent.mkdir(mode=0o755)
    schema.up(path)
    assert path.parent.stat().st_mode & 0o777 == 0o755


def test_down_takes_as_many_as_it_is_told_newest_first(path: Path, migrations: Path) -> None:
    for name in "bc":
        (migrations / f"0002.{name}.sql").write_text(f"CREATE TABLE {name} (x INTEGER);")
        (migrations / f"0002.{name}.rollback.sql").write_text(f"DROP TABLE {name};")
    assert schema.up(path) == ["0001.a", "0002.b", "0002.c"]
    assert schema.down(path, 2) == ["0002.c", "0002.b"]
    assert tables(path) == {"a"}
    assert schema.down(path, 9) == ["0001.a"]


def test_five_processes_at_once_migrate_once(path: Path) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", UP, str(path)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(5)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("now\n")
        process.stdin.flush()
    errors = [process.communicate(timeout=30)[1] for process in processes]
    assert errors == [""] * 5
    assert ask(path, "SELECT migration_id FROM _yoyo_migration") == [(FIRST,)]


def test_up_waits_for_another_who_is_writing_to_the_new_file(path: Path) -> None:
    with closing(sqlite3.connect(new(path), check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        release = threading.Timer(0.2, other.rollback)
        release.start()
        try:
            assert schema.up(path) == [FIRST]
        finally:
            release.join()


def test_up_gives_up_on_another_who_never_ends(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(db, "_BUSY_TIMEOUT_SECONDS", 0.01)
    schema.up(path)
    schema.down(path)
    with closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Fault, match=r"could not be migrated: database is locked\.$"):
            schema.up(path)
    assert schema.up(path) == [FIRST]


def test_what_another_did_in_between_is_not_done_again(path: Path) -> None:
    with schema._backend(new(path)) as slow:
        pending = slow.to_apply(schema._migrations())
        schema.up(path)
        slow.apply_migrations(pending)
        assert ask(path, "SELECT migration_id FROM _yoyo_migration") == [(FIRST,)]
        applied = slow.to_rollback(schema._migrations())
        schema.down(path)
        slow.rollback_migrations(applied)
        assert ask(path, "SELECT migration_id FROM _yoyo_migration") == []


def test_a_migration_that_fails_in_the_middle_leaves_nothing_and_can_be_repeated(
    path: Path, migrations: Path
) -> None:
    second = migrations / "0002.b.sql"
    second.write_text("CREATE TABLE b (x INTEGER); INSERT INTO nowhere VALUES (1);")
    with pytest.raises(Fault, match=r"could not be migrated: no such table: nowhere\.$"):
        schema.up(path)
    assert (tables(path), pending(path)) == ({"a"}, ["0002.b"])
    second.write_text("CREATE TABLE b (x INTEGER);")
    assert schema.up(path) == ["0002.b"]
    assert (tables(path), pending(path)) == ({"a", "b"}, [])


def test_taking_back_that_fails_in_the_middle_leaves_everything_and_can_be_repeated(
    path: Path, migrations: Path
) -> None:
    back = migrations / "0001.a.rollback.sql"
    back.write_text("DROP TABLE a; DROP TABLE nowhere;")
    schema.up(path)
    with pytest.raises(Fault, match=r"could not be migrated: no such table: nowhere\.$"):
        schema.down(path)
    assert (tables(path), pending(path)) == ({"a"}, [])
    back.write_text("DROP TABLE a;")
    assert schema.down(path) == ["0001.a"]
    assert (tables(path), pending(path)) == (set(), ["0001.a"])


def test_a_missing_database_is_named_with_the_command_to_run(path: Path) -> None:
    with pytest.raises(Fault) as refusal:
        schema.require_current(path)
    assert str(refusal.value) == (
        f"There is no database at {path}. Run: python -m service migrate up"
    )
    assert not path.parent.exists()


def test_an_empty_database_is_named_with_the_command_to_run(path: Path) -> None:
    with pytest.raises(Fault) as refusal:
        schema.require_current(new(path))
    assert str(refusal.value) == f"The database {path} is empty. Run: python -m service migrate up"


def test_an_older_database_is_named_with_what_it_lacks(path: Path, migrations: Path) -> None:
    schema.up(path)
    schema.require_current(path)
    (migrations / "0002.b.sql").write_text("CREATE TABLE b (x INTEGER);")
    with pytest.raises(Fault) as refusal:
        schema.require_current(path)
    assert str(refusal.value) == (
        f"The database {path} lacks 0002.b. Run: python -m service migrate up"
    )


def test_without_any_migrations_nothing_is_current(path: Path, migrations: Path) -> None:
    (migrations / "0001.a.sql").unlink()
    with pytest.raises(Fault):
        schema.require_current(path)


@pytest.mark.parametrize("act", [schema.up, schema.down, schema.require_current])
@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.mkdir(parents=True),
        lambda path: path.parent.write_text("a file where the folder should be"),
        lambda path: (path.parent.mkdir(), path.write_text("Dear Sir or Madam, " * 100)),
    ],
    ids=["a folder in its place", "a file for a folder", "a letter"],
)
def test_what_cannot_be_a_database_is_a_fault_that_names_it(
    path: Path, spoil: Act, act: Act
) -> None:
    spoil(path)
    with pytest.raises(Fault, match=str(path)):
        act(path)


@pytest.mark.parametrize("act", [schema.up, schema.down, schema.require_current])
def test_a_name_that_no_file_can_have_is_a_fault_that_names_it(tmp_path: Path, act: Act) -> None:
    path = tmp_path / ("a" * 300)
    with pytest.raises(Fault, match=str(path)):
        act(path)
