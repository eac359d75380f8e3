"""Who can read the file of keys: the same users after each command as before it."""

import os
import stat
import struct
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from service.keys import file, rotation
from service.keys.file_entry import SIGNING, Entries
from tests.support.commands import command
from tests.support.keyfiles import key
from tests.support.owners import AS_ROOT, USER, add, owner

STORES = ("sqlite",)  # only files have owners

GROUP = 23456
Change = Callable[[Entries], Entries]


def rotate(before: Entries) -> Entries:
    return rotation.rotate(before, "EdDSA", now=1_900_000_000, force=True)


def retire(before: Entries) -> Entries:
    kid = next(entry.kid for entry in before if entry.state != SIGNING)
    return rotation.retire(
        before, kid, algorithm="EdDSA", lifetime=60, now=1_900_000_000, force=True
    )


def replace(before: Entries) -> Entries:
    return rotation.replace(before, "EdDSA", now=1_900_000_000)


CHANGES = pytest.mark.parametrize("how", [add, rotate, retire, replace])


@pytest.fixture
def path() -> Iterator[Path]:
    """Yield a file with two keys, in a folder of ours that others may enter."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        made = Path(name) / "keys.json"
        for _ in range(2):
            file.change(made, add, create=True)
        yield made


@contextmanager
def acting_as(user: int, *groups: int) -> Iterator[None]:
    """Act as a user without a name, who is in these groups, the first of them its own."""
    before = os.getgroups()
    os.setgroups(groups)
    os.setegid(groups[0])
    os.seteuid(user)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@AS_ROOT
@CHANGES
def test_the_group_of_the_service_can_read_roots_file_afterwards(path: Path, how: Change) -> None:
    os.chown(path, 0, GROUP)
    path.chmod(0o640)
    file.change(path, how)
    assert (owner(path), mode(path)) == ((0, GROUP), 0o640)
    with acting_as(USER, USER, GROUP):
        assert file.read(path, ours_alone=True)


@AS_ROOT
@CHANGES
@pytest.mark.parametrize(
    ("before", "after"),
    [(0o600, 0o600), (0o660, 0o640), (0o440, 0o640), (0o400, 0o600), (0o644, 0o600)],
)
def test_a_file_of_the_service_stays_its_own(
    path: Path, how: Change, before: int, after: int
) -> None:
    os.chown(path, USER, GROUP)
    path.chmod(before)
    file.change(path, how)
    assert (owner(path), mode(path)) == ((USER, GROUP), after)


@AS_ROOT
@CHANGES
def test_a_user_keeps_the_group_that_reads(path: Path, how: Change) -> None:
    for each in (path.parent, path):
        os.chown(each, USER, GROUP)
    path.with_name("keys.json.lock").unlink()
    path.chmod(0o640)
    with acting_as(USER, USER, GROUP):
        file.change(path, how)
    assert (owner(path), mode(path)) == ((USER, GROUP), 0o640)


# --- Where a new file would be one that somebody cannot read, nothing is changed.


def assert_refused(path: Path, how: Change, why: str) -> None:
    before, facts, names = path.read_bytes(), path.stat(), sorted(path.parent.iterdir())
    with pytest.raises(file.BadFile, match=f"nothing was changed: .*{why}"):
        file.change(path, how)
    assert path.read_bytes() == before
    assert path.stat().st_ino == facts.st_ino
    assert sorted(path.parent.iterdir()) == names


@AS_ROOT
@CHANGES
def test_a_user_who_cannot_give_it_to_the_group_changes_nothing(path: Path, how: Change) -> None:
    for each in (path.parent, path, path.with_name("keys.json.lock")):
        os.chown(each, USER, GROUP)
    path.chmod(0o640)
    with acting_as(USER, USER):
        assert_refused(path, how, r"group 23456, .* as root; .*chmod g-r")
    path.chmod(0o600)
    with acting_as(USER, USER):
        file.change(path, how)
    assert (owner(path), mode(path)) == ((USER, USER), 0o600)


@AS_ROOT
@CHANGES
def test_a_user_who_may_write_into_the_folder_takes_no_file_of_another(
    path: Path, how: Change
) -> None:
    os.chown(path, USER, GROUP)
    path.chmod(0o640)
    path.parent.chmod(0o777)
    path.with_name("keys.json.lock").chmod(0o666)
    with acting_as(54321, GROUP):
        assert_refused(path, how, r"belongs to user 12345, .* as that user or as root")


@AS_ROOT
@CHANGES
def test_a_file_of_root_that_all_can_read_is_given_to_a_group_first(
    path: Path, how: Change
) -> None:
    path.chmod(0o644)
    assert_refused(path, how, r"chgrp GROUP, chmod 640")
    os.chown(path, 0, GROUP)
    path.chmod(0o640)
    file.change(path, how)
    assert (owner(path), mode(path)) == ((0, GROUP), 0o640)


@AS_ROOT
@CHANGES
def test_a_file_that_nobody_else_can_come_by_may_have_any_mode(path: Path, how: Change) -> None:
    path.parent.chmod(0o700)
    path.chmod(0o644)
    file.change(path, how)
    assert mode(path) == 0o600


@AS_ROOT
@CHANGES
def test_a_list_of_users_who_can_read_it_is_not_lost(path: Path, how: Change) -> None:
    entries = ((1, 6, -1), (2, 4, USER), (4, 0, -1), (0x10, 4, -1), (0x20, 0, -1))
    packed = b"".join(struct.pack("<HHi", *entry) for entry in entries)
    try:
        os.setxattr(path, "system.posix_acl_access", struct.pack("<I", 2) + packed)
    except OSError:
        pytest.skip("this file system has no access control lists")
    assert_refused(path, how, r"access control list .*setfacl -b")


@AS_ROOT
def test_the_commands_say_so(path: Path) -> None:
    path.chmod(0o644)
    settings = {"JWT_ALGORITHM": "EdDSA", "JWT_KEYS_FILE": str(path)}
    for words in (["generate"], ["rotate", "--leaked", "--yes"]):
        done = command(path.parent, "key", *words, **settings)
        assert (done.returncode, done.stdout) == (1, "")
        assert "nothing was changed: every user of this machine can read" in done.stderr
    path.chmod(0o600)
    said = key(path, "rotate", "--leaked", "--yes")
    assert "continues with the previous keys" in said
    assert "/readyz" in said
