"""Root in a folder of a less trusted user: no name there makes it touch a file of somebody else."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from service import config, db
from service.cli import database_session as cli_run
from service.db_tools import migrations, schema_state
from service.errors import Fault
from service.keys import file
from service.system import file_owner
from tests.support.commands import Run
from tests.support.environment import ROOT, clean_environ
from tests.support.owners import AS_ROOT, USER, add, link_as_user, owner, theirs
from tests.support.stores import ON_SQLITE, database_at

__all__ = ["theirs"]

STORES = ("sqlite",)  # only files have owners


@pytest.fixture
def precious(theirs: Path) -> Path:
    """Return a file of root's that the other user may not read or write."""
    path = theirs.parent / "precious"
    path.write_text("precious")
    path.chmod(0o600)
    return path


def assert_untouched(precious: Path, text: str = "precious") -> None:
    assert precious.read_text() == text
    assert owner(precious) == (0, 0)
    assert stat.S_IMODE(precious.stat().st_mode) == 0o600


@AS_ROOT
def test_root_makes_the_keys_of_another_user_in_that_users_name(theirs: Path) -> None:
    path = theirs / "keys" / "keys.json"
    for _ in range(2):
        file.change(path, add, create=True)
    for each in (path.parent, path, path.with_name("keys.json.lock")):
        assert owner(each) == (USER, USER)
    assert os.geteuid() == os.getegid() == 0


@AS_ROOT
@pytest.mark.parametrize("exists", [True, False])
@pytest.mark.parametrize("name", ["keys.json.lock", "keys.json"])
def test_a_link_in_that_folder_leads_root_nowhere(
    theirs: Path, precious: Path, name: str, *, exists: bool
) -> None:
    if not exists:
        precious.unlink()
    link_as_user(theirs / name, precious)
    with pytest.raises(file.BadFile):
        file.change(theirs / "keys.json", add, create=True)
    if exists:
        assert_untouched(precious)
    else:
        assert not precious.exists()


@AS_ROOT
def test_a_lock_that_is_a_link_beside_the_keys_of_the_service_leads_root_nowhere(
    theirs: Path, precious: Path
) -> None:
    path = theirs / "keys.json"
    file.change(path, add, create=True)
    lock = theirs / "keys.json.lock"
    lock.unlink()
    link_as_user(lock, precious)
    with pytest.raises(file.BadFile):
        file.change(path, add)
    assert_untouched(precious)


@AS_ROOT
def test_a_hard_link_in_that_folder_is_no_way_to_a_file_of_root(
    theirs: Path, precious: Path
) -> None:
    os.link(precious, theirs / "keys.json.lock")
    with pytest.raises(file.BadFile, match="root acts with the rights of user 12345"):
        file.change(theirs / "keys.json", add, create=True)
    assert_untouched(precious)


@AS_ROOT
@pytest.mark.parametrize("link", ["data", "data/deeper"])
def test_a_folder_that_is_a_link_is_the_link_of_its_owner(
    theirs: Path, precious: Path, link: str
) -> None:
    secret = precious.with_name("root-only")
    secret.mkdir(mode=0o755)
    (theirs / link).parent.mkdir(exist_ok=True)
    os.chown((theirs / link).parent, USER, USER)
    link_as_user(theirs / link, secret)
    with pytest.raises(file.BadFile, match="root acts with the rights of user 12345"):
        file.change(theirs / link / "keys.json", add, create=True)
    assert list(secret.iterdir()) == []


@AS_ROOT
def test_keys_of_another_owner_are_not_read_through_a_link(theirs: Path) -> None:
    other = theirs.parent / "other.json"
    file.change(other, add, create=True)
    before = other.read_bytes()
    link_as_user(theirs / "keys.json", other)
    with pytest.raises(
        file.BadFile, match="Permission denied: root acts with the rights of user 12345"
    ):
        file.change(theirs / "keys.json", add)
    assert other.read_bytes() == before
    assert owner(other) == (0, 0)


@AS_ROOT
def test_a_link_in_a_folder_of_everybody_counts_as_its_owners(theirs: Path) -> None:
    other = theirs.parent / "other.json"
    file.change(other, add, create=True)
    before = other.read_bytes()
    theirs.chmod(0o1777)
    os.chown(theirs, 0, 0)
    link_as_user(theirs / "keys.json", other)
    with pytest.raises(file.BadFile):
        file.change(theirs / "keys.json", add, create=True)
    assert other.read_bytes() == before


@AS_ROOT
@pytest.mark.parametrize("text", ["precious", ""])
@pytest.mark.parametrize("name", ["latchkey.db", "latchkey.db-wal", "latchkey.db-journal"])
def test_migrate_as_root_writes_through_no_link(
    theirs: Path, precious: Path, name: str, text: str
) -> None:
    precious.write_text(text)
    link_as_user(theirs / name, precious)
    try:
        migrations.up(database_at(f"sqlite:///{theirs}/latchkey.db"))
    except Fault as fault:
        assert "latchkey.db" in str(fault)  # noqa: PT017  # SQLite may also do without the file
    assert_untouched(precious, text)


@AS_ROOT
def test_migrate_as_root_leaves_the_database_to_the_owner_of_the_folder(theirs: Path) -> None:
    where = database_at(f"sqlite:///{theirs}/data/latchkey.db")
    migrations.up(where)
    for each in (theirs / "data", theirs / "data" / "latchkey.db"):
        assert owner(each) == (USER, USER)
    assert schema_state.status(where)


@AS_ROOT
@ON_SQLITE
def test_a_backup_as_root_goes_through_no_link(
    theirs: Path, precious: Path, where: config.DatabaseUrl
) -> None:
    link_as_user(theirs / "there", precious.parent)
    assert where.path is not None
    with pytest.raises(Fault):
        db.save(where, theirs / "there" / "copy.db")
    assert not (precious.parent / "copy.db").exists()


@AS_ROOT
@ON_SQLITE
def test_a_database_that_is_a_link_shows_root_nothing(
    theirs: Path, where: config.DatabaseUrl
) -> None:
    """Neither do the checks before a command read it, nor does a backup copy it."""
    assert where.path is not None
    where.path.parent.chmod(0o700)
    before = sorted(where.path.parent.iterdir())
    link_as_user(theirs / "latchkey.db", where.path)
    linked = database_at(f"sqlite:///{theirs}/latchkey.db")
    for read in (schema_state.status, lambda url: db.save(url, theirs.parent / "copy.db")):
        with pytest.raises(Fault, match=r"latchkey\.db"):
            read(linked)
    assert sorted(where.path.parent.iterdir()) == before
    assert not (theirs.parent / "copy.db").exists()


@AS_ROOT
@pytest.mark.parametrize("name", ["DATABASE_URL", "JWT_KEYS_FILE"])
def test_a_dotenv_of_another_user_names_no_path_of_root(
    theirs: Path, precious: Path, name: str
) -> None:
    """Otherwise that user chooses where root writes."""
    path = precious.with_name("made.db")
    value = f"sqlite:///{path}" if name == "DATABASE_URL" else str(path)
    dotenv = theirs / ".env"
    dotenv.write_text(f"ENVIRONMENT=development\n{name}={value}\n")
    os.chown(dotenv, USER, USER)
    load = config.load_database if name == "DATABASE_URL" else config.load_keys
    with pytest.raises(Fault, match=f"{name} names a path in folders of root"):
        load({}, dotenv)
    assert load({name: value}, dotenv)
    dotenv.write_text(
        f"ENVIRONMENT=development\n{name}={value.replace(str(path), f'{theirs}/a')}\n"
    )
    assert load({}, dotenv)


@AS_ROOT
@ON_SQLITE
def test_commands_as_root_open_the_database_with_the_rights_of_its_folder(
    theirs: Path, run: Run
) -> None:
    where = database_at(f"sqlite:///{theirs}/latchkey.db")
    migrations.up(where)
    code, printed, said = run("role", "create", "editor", DATABASE_URL=where.url)
    assert (code, said) == (0, ""), printed
    assert {owner(each) for each in theirs.iterdir()} == {(USER, USER)}
    assert os.geteuid() == 0
    assert cli_run.operator().name


def _fail_inside(folder: Path) -> None:
    with file_owner.as_owner(folder / "a"):
        assert (os.geteuid(), os.getegid(), os.getgroups()) == (USER, USER, [USER])
        raise ValueError("x")


@AS_ROOT
def test_after_an_error_root_is_root_again(theirs: Path) -> None:
    groups = os.getgroups()
    with pytest.raises(ValueError, match="x"):
        _fail_inside(theirs)
    assert (os.geteuid(), os.getegid(), os.getgroups()) == (0, 0, groups)


@AS_ROOT
def test_another_user_acts_as_before(theirs: Path) -> None:
    os.seteuid(54321)
    try:
        with file_owner.as_owner(theirs / "a"):
            assert os.geteuid() == 54321
        assert os.geteuid() == 54321
    finally:
        os.seteuid(0)


LIMITED = """
import os, sys

class Refusing:
    def find_spec(self, name, path=None, target=None):
        if os.geteuid() != 0:
            raise ModuleNotFoundError(f"{name} was imported with the rights of user {os.geteuid()}")

sys.meta_path.insert(0, Refusing())
from service.cli import main
main()
"""
COMMANDS = (
    ["key", "generate"],
    ["key", "generate"],
    ["key", "rotate", "--force"],
    ["key", "list"],
    ["migrate", "up"],
    ["seed"],
    ["user", "create", "ute"],
    ["user", "list"],
    ["user", "sign-out", "--all", "--yes"],
    ["user", "delete", "ute", "--yes"],
    ["user", "show", "nobody"],
    ["token", "issue", "user"],
    ["audit", "list"],
    ["db", "check"],
    ["db", "backup", "{folder}/copy.db"],
    ["migrate", "status"],
)


@AS_ROOT
def test_a_user_who_cannot_read_python_is_no_hindrance(theirs: Path) -> None:
    settings = clean_environ(
        JWT_KEYS_FILE=f"{theirs}/keys.json",
        JWT_ALGORITHM="EdDSA",
        DATABASE_URL=f"sqlite:///{theirs}/latchkey.db",
        ENVIRONMENT="test",
    )
    for words in COMMANDS:
        given = [word.replace("{folder}", str(theirs)) for word in words]
        done = subprocess.run(
            [sys.executable, "-c", LIMITED, *given],
            env={**settings, "PYTHONPATH": str(ROOT)},
            cwd=theirs.parent,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert "was imported with the rights" not in done.stderr, (words, done.stderr)
        assert "Traceback" not in done.stderr, (words, done.stderr)
        assert done.returncode == (1 if "nobody" in words else 0), (words, done.stderr)
