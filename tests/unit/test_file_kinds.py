"""What is no file, where one belongs: an error at once, and never waited for."""

import fcntl
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from service import config
from service.db_tools import migrations
from service.errors import Fault
from service.keys import file
from service.keys.file_entry import Entries
from tests.support.owners import add, theirs
from tests.support.stores import database_at

__all__ = ["theirs"]

STORES = ("sqlite",)  # only files have owners

Make = Callable[[Path], None]


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
