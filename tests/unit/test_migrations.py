"""The migrations: made, taken back, repeated, and never half done."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from service import db
from service.config import DatabaseUrl
from service.db.postgresql import sync
from service.db.sqlite import database
from service.db_tools import migrations as schema
from service.db_tools import schema_state
from service.errors import Fault
from tests.support.environment import ROOT
from tests.support.stores import KINDS, Databases, Store, database_at, run_sql, writing

NAMES = sorted(
    path.stem
    for path in (schema_state.DIRECTORY / "sqlite").glob("*.sql")
    if not path.stem.endswith(".rollback")
)
APPLIED = "SELECT migration_id FROM _yoyo_migration ORDER BY migration_id"
UP = """
import sys
from pathlib import Path
from service import config
from service.db_tools import migrations
sys.stdin.readline()
migrations.up(config.load_database({"DATABASE_URL": sys.argv[1]}, Path("no.env")))
"""


Act = Callable[[DatabaseUrl], object]


@pytest.fixture
def where(store: Store, tmp_path: Path) -> Iterator[DatabaseUrl]:
    """Yield where a database may come to be."""
    made = store.empty(tmp_path)
    yield made
    if isinstance(store, Databases):
        store.drop(made)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where a file may come to be a database."""
    return tmp_path / "data" / "latchkey.db"


@pytest.fixture
def migrations(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of migrations, with a good one, that stands in for ours."""
    folder = tmp_path / "migrations" / store.kind
    folder.mkdir(parents=True)
    (folder / "0001.a.sql").write_text("CREATE TABLE a (x INTEGER);")
    (folder / "0001.a.rollback.sql").write_text("DROP TABLE a;")
    monkeypatch.setattr(schema_state, "DIRECTORY", folder.parent)
    return folder


@pytest.fixture
def no_umask() -> Iterator[None]:
    """Take nothing away from the permissions of new files."""
    before = os.umask(0)
    yield
    os.umask(before)


def new(where: DatabaseUrl) -> DatabaseUrl:
    """Make an empty database."""
    db.create(where)
    return where


def at(path: Path) -> DatabaseUrl:
    """Return the database of a file."""
    return database_at(f"sqlite:///{path}")


def tables(where: DatabaseUrl) -> set[object]:
    """Return the tables of a database that are not the migrations' own."""
    sql = "SELECT name FROM sqlite_master WHERE type = 'table'"
    if where.path is None:
        sql = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
    names = {name for (name,) in run_sql(where, sql)}
    return {name for name in names if not str(name).startswith(("_yoyo", "yoyo", "sqlite"))}


def pending(where: DatabaseUrl) -> list[str]:
    """Return the migrations that are not applied."""
    return [name for name, applied_at in schema_state.status(where) if applied_at is None]


NO_TABLE = (
    r"The migration of the database .* failed: .*"
    r"(no such table: nowhere|\"nowhere\" does not exist).*\.$"
)


def test_every_migration_is_there_for_both_databases_and_can_be_taken_back() -> None:
    for kind in KINDS:
        files = {path.name for path in (schema_state.DIRECTORY / kind).glob("0*")}
        programs = {name for name in NAMES if f"{name}.py" in files}  # their way back is in them
        assert files == {f"{name}.py" for name in programs} | {
            f"{name}{ending}"
            for name in set(NAMES) - programs
            for ending in (".sql", ".rollback.sql")
        }


def test_up_makes_the_tables_down_takes_them_back_and_status_tells(where: DatabaseUrl) -> None:
    assert pending(where) == NAMES
    assert schema.up(where) == NAMES
    assert pending(where) == []
    assert {"users", "roles", "user_roles", "changes"} <= tables(where)
    assert schema.down(where) == NAMES[-1:]
    assert schema.down(where, len(NAMES)) == NAMES[-2::-1]
    assert pending(where) == NAMES
    assert tables(where) == set()
    assert schema.down(where) == []


def test_status_tells_when_each_was_applied(where: DatabaseUrl) -> None:
    schema.up(where)
    state = schema_state.status(where)
    assert [name for name, _ in state] == NAMES
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H")
    for _, applied_at in state:
        assert str(applied_at).replace(" ", "T").startswith(str(now))


def test_up_twice_changes_nothing(where: DatabaseUrl) -> None:
    schema.up(where)
    before = run_sql(where, "SELECT * FROM _yoyo_migration")
    assert schema.up(where) == []
    assert run_sql(where, "SELECT * FROM _yoyo_migration") == before


@pytest.mark.usefixtures("no_umask")
def test_only_its_owner_can_read_the_database_and_its_folder(path: Path) -> None:
    schema.up(at(path))
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_was_there_keeps_its_permissions(path: Path) -> None:
    path.parent.mkdir(mode=0o755)
    schema.up(at(path))
    assert path.parent.stat().st_mode & 0o777 == 0o755


def test_down_takes_as_many_as_it_is_told_newest_first(
    where: DatabaseUrl, migrations: Path
) -> None:
    for name in "bc":
        (migrations / f"0002.{name}.sql").write_text(f"CREATE TABLE {name} (x INTEGER);")
        (migrations / f"0002.{name}.rollback.sql").write_text(f"DROP TABLE {name};")
    assert schema.up(where) == ["0001.a", "0002.b", "0002.c"]
    assert schema.down(where, 2) == ["0002.c", "0002.b"]
    assert tables(where) == {"a"}
    assert schema.down(where, 9) == ["0001.a"]


def test_five_processes_at_once_migrate_once(where: DatabaseUrl) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", UP, where.url],
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
    assert run_sql(where, APPLIED) == [(name,) for name in NAMES]


def test_up_waits_for_another_who_is_writing_to_the_new_file(where: DatabaseUrl) -> None:
    with writing(new(where)) as let_go:
        release = threading.Timer(0.2, let_go)
        release.start()
        try:
            assert schema.up(where) == NAMES
        finally:
            release.join()


def test_up_gives_up_on_another_who_never_ends(
    where: DatabaseUrl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_BUSY_TIMEOUT_SECONDS", 0.01)
    monkeypatch.setattr(sync, "LOCK_SECONDS", 0.01)
    schema.up(where)
    schema.down(where)
    with (
        writing(where),
        pytest.raises(Fault, match=r"The migration of the database .* failed: .*lock.*\.$"),
    ):
        schema.up(where)
    assert schema.up(where) == NAMES[-1:]


def test_what_another_did_in_between_is_not_done_again(where: DatabaseUrl) -> None:
    with schema._backend(new(where)) as slow:
        pending = slow.to_apply(schema._migrations(where))
        schema.up(where)
        slow.apply_migrations(pending)
        assert run_sql(where, APPLIED) == [(name,) for name in NAMES]
        applied = slow.to_rollback(schema._migrations(where))
        schema.down(where)
        slow.rollback_migrations(applied)
        assert run_sql(where, "SELECT migration_id FROM _yoyo_migration") == []


def test_a_migration_that_fails_in_the_middle_leaves_nothing_and_can_be_repeated(
    where: DatabaseUrl, migrations: Path
) -> None:
    second = migrations / "0002.b.sql"
    second.write_text("CREATE TABLE b (x INTEGER); INSERT INTO nowhere VALUES (1);")
    with pytest.raises(Fault, match=NO_TABLE):
        schema.up(where)
    assert (tables(where), pending(where)) == ({"a"}, ["0002.b"])
    second.write_text("CREATE TABLE b (x INTEGER);")
    assert schema.up(where) == ["0002.b"]
    assert (tables(where), pending(where)) == ({"a", "b"}, [])


def test_taking_back_that_fails_in_the_middle_leaves_everything_and_can_be_repeated(
    where: DatabaseUrl, migrations: Path
) -> None:
    back = migrations / "0001.a.rollback.sql"
    back.write_text("DROP TABLE a; DROP TABLE nowhere;")
    schema.up(where)
    with pytest.raises(Fault, match=NO_TABLE):
        schema.down(where)
    assert (tables(where), pending(where)) == ({"a"}, [])
    back.write_text("DROP TABLE a;")
    assert schema.down(where) == ["0001.a"]
    assert (tables(where), pending(where)) == (set(), ["0001.a"])


def test_a_missing_database_is_named_with_the_command_to_run(path: Path) -> None:
    with pytest.raises(Fault) as refusal:
        schema_state.require_current(at(path))
    assert str(refusal.value) == (
        f"The database {path} does not exist. Run: python -m service migrate up"
    )
    assert not path.parent.exists()


def test_an_empty_database_is_named_with_the_command_to_run(where: DatabaseUrl) -> None:
    with pytest.raises(Fault) as refusal:
        schema_state.require_current(new(where))
    assert str(refusal.value) == f"The database {where} is empty. Run: python -m service migrate up"


def test_an_older_database_is_named_with_what_it_lacks(
    where: DatabaseUrl, migrations: Path
) -> None:
    schema.up(where)
    schema_state.require_current(where)
    (migrations / "0002.b.sql").write_text("CREATE TABLE b (x INTEGER);")
    with pytest.raises(Fault) as refusal:
        schema_state.require_current(where)
    assert str(refusal.value) == (
        f"The database {where} lacks the migrations 0002.b. Run: python -m service migrate up"
    )


def test_without_any_migrations_nothing_is_current(where: DatabaseUrl, migrations: Path) -> None:
    (migrations / "0001.a.sql").unlink()
    with pytest.raises(Fault):
        schema_state.require_current(where)


@pytest.mark.parametrize("act", [schema.up, schema.down, schema_state.require_current])
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
    path: Path, spoil: Callable[[Path], object], act: Act
) -> None:
    spoil(path)
    with pytest.raises(Fault, match=str(path)):
        act(at(path))


@pytest.mark.parametrize("act", [schema.up, schema.down, schema_state.require_current])
def test_a_name_that_no_file_can_have_is_a_fault_that_names_it(tmp_path: Path, act: Act) -> None:
    path = tmp_path / ("a" * 300)
    with pytest.raises(Fault, match=str(path)):
        act(at(path))
