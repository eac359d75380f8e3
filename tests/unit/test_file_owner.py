"""Root in a folder of a less trusted user: no name there makes it touch a file of somebody else."""

import fcntl
import os
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from service import config, db
from service.cli import database_session as cli_run
from service.db_tools import migrations, schema_state
from service.errors import Fault
from service.keys import file, rotation
from service.keys.file_entry import Entries
from service.system import file_owner
from tests.support.commands import Run
from tests.support.environment import ROOT, clean_environ
from tests.support.stores import ON_SQLITE, database_at

STORES = ("sqlite",)  # only files have owners

Make = Callable[[Path], None]

USER = 12345
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")


def add(before: Entries) -> Entries:
    """Add a key."""
    return rotation.generate(before, "EdDSA", 1_800_000_000)


@pytest.fixture
def theirs() -> Iterator[Path]:
    """Yield a folder of another user, where root owns what is above."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        folder = Path(name) / "theirs"
        folder.mkdir(mode=0o755)
        if os.geteuid() == 0:
            os.chown(folder, USER, USER)
        yield folder


@pytest.fixture
def precious(theirs: Path) -> Path:
    """Return a file of root's that the other user may not read or write."""
    path = theirs.parent / "precious"
    path.write_text("precious")
    path.chmod(0o600)
    return path


def owner(path: Path) -> tuple[int, int]:
    facts = path.lstat()
    return facts.st_uid, facts.st_gid


def assert_untouched(precious: Path, text: str = "precious") -> None:
    assert precious.read_text() == text
    assert owner(precious) == (0, 0)
    assert stat.S_IMODE(precious.stat().st_mode) == 0o600


def link_as_user(link: Path, target: Path) -> None:
    """Make a symbolic link as the other user makes it."""
    link.symlink_to(target)
    os.chown(link, USER, USER, follow_symlinks=False)


# --- What is no regular file, whoever runs the command.


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(path))


STRANGE: dict[str, Make] = {
    "a pipe": make_fifo,
    "a socket": make_socket,
    "a folder": Path.mkdir,
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "a terminal": lambda path: path.symlink_to("/dev/ptmx"),
}


@pytest.mark.parametrize("make", STRANGE.values(), ids=STRANGE)
def test_what_is_no_file_is_an_error_at_once_and_never_waited_for(theirs: Path, make: Make) -> None:
    path = theirs.parent / "keys.json"
    make(path)
    with pytest.raises(file.BadFile, match=r"regular file|cannot be read"):
        file.read(path)
    with pytest.raises(file.BadFile, match=r"regular file|cannot be (read|written)"):
        file.change(path, add, create=True)


@pytest.mark.parametrize("make", STRANGE.values(), ids=STRANGE)
def test_a_lock_that_is_no_file_is_an_error_at_once(theirs: Path, make: Make) -> None:
    path = theirs.parent / "keys.json"
    make(theirs.parent / "keys.json.lock")
    with pytest.raises(file.BadFile, match=r"keys.json.lock is not a regular file: remove it"):
        file.change(path, add, create=True)
    assert not path.exists()


def test_a_lock_that_another_process_keeps_is_an_error_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file, "_WAIT_SECONDS", 0.2)
    path = tmp_path / "keys.json"
    before = file.change(path, add, create=True)
    with (tmp_path / "keys.json.lock").open() as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(file.BadFile, match=r"another process has held keys.json.lock"):
            file.change(path, add)
    assert len(file.change(path, add)) == len(before) + 1


def test_a_writer_waits_for_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    file.change(path, add, create=True)
    waiting = threading.Thread(target=file.change, args=(path, add))

    def slowly(before: Entries) -> Entries:
        waiting.start()
        return add(before)

    file.change(path, slowly)
    waiting.join(20)
    assert len(file.read(path)) == 3


def test_a_link_to_the_file_is_read_as_in_a_volume_of_kubernetes(tmp_path: Path) -> None:
    (tmp_path / "..2026").mkdir()
    file.change(tmp_path / "..2026" / "keys.json", add, create=True)
    (tmp_path / "..data").symlink_to("..2026")
    (tmp_path / "keys.json").symlink_to("..data/keys.json")
    assert len(file.read(tmp_path / "keys.json")) == 1
    assert len(file.change(tmp_path / "keys.json", add)) == 2


@pytest.mark.parametrize("make", STRANGE.values(), ids=STRANGE)
def test_no_database_is_made_of_what_is_no_file(theirs: Path, make: Make) -> None:
    path = theirs.parent / "latchkey.db"
    make(path)
    with pytest.raises(Fault, match="not a regular file"):
        migrations.up(database_at(f"sqlite:///{path}"))


def test_a_database_is_not_made_where_a_link_leads(tmp_path: Path) -> None:
    (tmp_path / "latchkey.db").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Fault, match="is a broken link"):
        migrations.up(database_at(f"sqlite:///{tmp_path}/latchkey.db"))
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("make", [make_fifo, make_socket], ids=["a pipe", "a socket"])
def test_a_secret_is_not_waited_for(tmp_path: Path, make: Make) -> None:
    path = tmp_path / "secret"
    make(path)
    with pytest.raises(Fault, match="JWT_SECRET_KEY_FILE"):
        config.load({"ENVIRONMENT": "test", "JWT_SECRET_KEY_FILE": str(path)}, tmp_path / "no.env")


def test_a_secret_may_come_through_a_pipe_that_a_program_writes_to(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    text = "a-secret-of-a-program-that-is-long-enough"

    def write() -> None:
        for letter in text:
            os.write(writing, letter.encode())
        os.close(writing)

    thread = threading.Thread(target=write)
    thread.start()
    environ = {"ENVIRONMENT": "test", "JWT_SECRET_KEY_FILE": f"/dev/fd/{reading}"}
    assert config.load(environ, tmp_path / "no.env").jwt_secret_key == text
    thread.join()
    os.close(reading)


# --- Root in another user's folder.


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
