"""Who besides root and the process's own user can change a file: secrets of theirs would count."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

_MAX_LINKS = 40
_ROOT = 0


@dataclass(frozen=True, slots=True)
class Exposure:
    """Why others can change a file. `what` goes on after “a file”, and names no path.

    `cure` is a command that ends it; `instead` is what may help in its place, '' for nothing. With
    `ends_with_file` a new file in its place ends it, too. `is_owners` if it is another user's: to
    root, the user of the service is one.
    """

    what: str
    cure: str
    instead: str = ""
    ends_with_file: bool = False
    is_owners: bool = False

    def run(self, then: str = "") -> str:
        """Return the command that ends it, and another one that has to follow."""
        return f"{self.cure}{f' && {then}' if then else ''}{self.instead}"


def of(path: Path, descriptor: int, *, leaves_owner: bool = False) -> Exposure | None:
    """Return why others can change the open file that `path` led to; None if they cannot.

    With `leaves_owner` the file may belong to anybody: root leaves it to its owner, and a server of
    another user refuses it afterwards as before.

    The file is looked at by its descriptor. Then the way to it is: in a folder that is safe now
    nobody else could have put it, since who can change a folder cannot make it safe. A group may
    write, as in volumes of Kubernetes. A pipe without a name is not looked at: it comes from the
    process that started this one.
    """
    return _of(path, os.fstat(descriptor), leaves_owner=leaves_owner)


def at(path: Path, *, leaves_owner: bool = False) -> Exposure | None:
    """Return the same of what is at `path` just now, open or not; None if nothing can be seen."""
    try:
        facts = path.stat()
    except (OSError, ValueError):
        return None
    return _of(path, facts, leaves_owner=leaves_owner)


def on_the_way(path: Path) -> Exposure | None:
    """Return why others can lead `path` elsewhere: by a folder, or by a link.

    A folder where everybody may write is safe if it is sticky: there each name is its owner's. The
    way is followed by hand from `/`, as the system follows it.
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
            return None  # gone, or out of sight: whoever opens the path will say so
        if stat.S_ISDIR(facts.st_mode):
            found, here = _of_folder(below, facts), below
    return found


def private(path: Path, facts: os.stat_result) -> str:
    """Return the command that takes a file from all users but those who need it."""
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
        is_left = os.geteuid() == _ROOT  # by root, who replaces it, to its owner
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
    """Return the command that gives a file away; root may also act as the user who has it."""
    user = os.geteuid()
    instead = f"   (or do this as user {facts.st_uid})" if user == _ROOT else ""
    return f"chown -h {user} {path}", instead
