"""Files of another user, and the keys of a service in that user's folder."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.keys import rotation
from service.keys.file_entry import Entries

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


def owner(path: Path) -> tuple[int, int]:
    facts = path.lstat()
    return facts.st_uid, facts.st_gid


def link_as_user(link: Path, target: Path) -> None:
    """Make a symbolic link as the other user makes it."""
    link.symlink_to(target)
    os.chown(link, USER, USER, follow_symlinks=False)
