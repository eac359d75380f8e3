"""Detect whether users other than root and the process's own user can change a file."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

_MAX_LINKS = 40
_ROOT = 0


@dataclass(frozen=True, slots=True)
class Exposure:
    """The reason why others can change a file. `what` continues “a file” and contains no path.

    `cure` is a command that fixes it, `instead` an alternative or ''. If `ends_with_file` is True,
    a new file in its place also fixes it. `is_owners` is True if it belongs to another user, which
    for root includes the user of the service.
    """

    what: str
    cure: str
    instead: str = ""
    ends_with_file: bool = False
    is_owners: bool = False

    def run(self, then: str = "") -> str:
        """Return the command that fixes it, followed by another command."""
        return f"{self.cure}{f' && {then}' if then else ''}{self.instead}"


def of(path: Path, descriptor: int, *, leaves_owner: bool = False) -> Exposure | None:
    """Return why others can change the open file at `path`, None if they cannot.

    With `leaves_owner`, any owner is accepted: root keeps the owner, and a server of another user
    still rejects the file.

    Checks the file by its descriptor, then the folders on its path. Users who can change a folder
    cannot make it safe again, so in a folder that is safe now the file is not theirs. A group may
    write, as in Kubernetes volumes. Unnamed pipes are not checked, as the parent created them.
    """
    return _of(path, os.fstat(descriptor), leaves_owner=leaves_owner)


def at(path: Path, *, leaves_owner: bool = False) -> Exposure | None:
    """Return the same for the file that is at `path` now; None if it cannot be read."""
    try:
        facts = path.stat()
    except (OSError, ValueError):
        return None
    return _of(path, facts, leaves_owner=leaves_owner)


def on_the_way(path: Path) -> Exposure | None:
    """Return why others can redirect `path`, through a folder or a link; None if they cannot.

    A world-writable folder is safe if it is sticky, because only the owner of a file can replace
    it. Follows the path from `/` as the system does.
    """
    here, left, links = Path("/"), list(reversed(path.absolute().parts[1:])), 0
    found = _of_folder(here, here.lstat())
    while left and found is None and links <= _MAX_LINKS:
        below = here / left.pop()
        try:
            facts = below.lstat()
            if stat.S_ISLNK(facts.st_mode):
                found, links = _of_link(below, facts), links + 1
                target = below.readlink()
                here = Path("/") if target.is_absolute() else here
                left += reversed([part for part in target.parts if part != "/"])
                continue
        except OSError:
            return None  # missing or not accessible: opening the path reports the error
        if stat.S_ISDIR(facts.st_mode):
            found, here = _of_folder(below, facts), below
    return found


def private(path: Path, facts: os.stat_result) -> str:
    """Return the command that makes a file readable only for the users that need it."""
    if facts.st_uid == _ROOT != os.geteuid():
        return f"chgrp {os.getegid()} {path} && chmod 640 {path}"
    return f"chmod 600 {path}"


def _of(path: Path, facts: os.stat_result, *, leaves_owner: bool) -> Exposure | None:
    if not stat.S_ISREG(facts.st_mode) and not _is_named_pipe(facts):
        return None
    return _of_file(path, facts, leaves_owner=leaves_owner) or on_the_way(path)


def _is_named_pipe(facts: os.stat_result) -> bool:
    if not stat.S_ISFIFO(facts.st_mode):
        return False
    ends = os.pipe()
    try:
        return facts.st_dev != os.fstat(ends[0]).st_dev
    finally:
        for end in ends:
            os.close(end)


def _of_file(path: Path, facts: os.stat_result, *, leaves_owner: bool) -> Exposure | None:
    if facts.st_mode & stat.S_IWOTH:
        what, cure = "that every user of this machine can change", private(path, facts)
        return Exposure(what, cure, ends_with_file=True)
    if _is_strange(facts) and not leaves_owner:
        is_left = os.geteuid() == _ROOT  # root replaces the file and keeps its owner
        cure, instead = _chown(path, facts)
        return Exposure("that belongs to another user", cure, instead, not is_left, is_owners=True)
    return None


def _of_folder(folder: Path, facts: os.stat_result) -> Exposure | None:
    if facts.st_mode & stat.S_IWOTH and not facts.st_mode & stat.S_ISVTX:
        what = "in a folder where every user of this machine can replace it"
        return Exposure(what, f"chmod o-w {folder}")
    if _is_strange(facts):
        what = "in a folder that belongs to another user, who can replace it"
        return Exposure(what, *_chown(folder, facts), is_owners=True)
    return None


def _of_link(link: Path, facts: os.stat_result) -> Exposure | None:
    if _is_strange(facts):
        what = "behind a link that belongs to another user, who can lead it elsewhere"
        return Exposure(what, *_chown(link, facts), is_owners=True)
    return None


def _is_strange(facts: os.stat_result) -> bool:
    return facts.st_uid not in {_ROOT, os.geteuid()}


def _chown(path: Path, facts: os.stat_result) -> tuple[str, str]:
    """Return the command that changes the owner, and for root the alternative."""
    user = os.geteuid()
    instead = f"   (or do this as user {facts.st_uid})" if user == _ROOT else ""
    return f"chown -h {user} {path}", instead
