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

    `cure` is a command that ends it.
    """

    what: str
    cure: str


def of(path: Path, descriptor: int) -> Exposure | None:
    """Return why others can change the open file that `path` led to; None if they cannot.

    The file is looked at by its descriptor. Then the way to it is: in a folder that is safe now
    nobody else could have put it, since who can change a folder cannot make it safe. A group may
    write, as in volumes of Kubernetes. What is no regular file (a pipe) is not looked at.
    """
    facts = os.fstat(descriptor)
    return _of_file(path, facts) or on_the_way(path) if stat.S_ISREG(facts.st_mode) else None


def at(path: Path) -> Exposure | None:
    """Return the same of what is at `path` just now, open or not; None if nothing can be seen."""
    try:
        facts = path.stat()
    except (OSError, ValueError):
        return None
    return _of_file(path, facts) or on_the_way(path) if stat.S_ISREG(facts.st_mode) else None


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


def _of_file(path: Path, facts: os.stat_result) -> Exposure | None:
    if facts.st_mode & stat.S_IWOTH:
        return Exposure("that every user of this machine can change", f"chmod 600 {path}")
    if _is_strange(facts):
        return Exposure("that belongs to another user", _chown(path, facts))
    return None


def _of_folder(folder: Path, facts: os.stat_result) -> Exposure | None:
    if facts.st_mode & stat.S_IWOTH and not facts.st_mode & stat.S_ISVTX:
        what = "in a folder where every user of this machine can replace it"
        return Exposure(what, f"chmod o-w {folder}")
    if _is_strange(facts):
        what = "in a folder that belongs to another user, who can replace it"
        return Exposure(what, _chown(folder, facts))
    return None


def _of_link(link: Path, facts: os.stat_result) -> Exposure | None:
    if _is_strange(facts):
        what = "behind a link that belongs to another user, who can lead it elsewhere"
        return Exposure(what, _chown(link, facts))
    return None


def _is_strange(facts: os.stat_result) -> bool:
    return facts.st_uid not in {_ROOT, os.geteuid()}


def _chown(path: Path, facts: os.stat_result) -> str:
    """Return the command that gives a file away; root may also act as the user who has it."""
    user = os.geteuid()
    instead = f"   (or do this as user {facts.st_uid})" if user == _ROOT else ""
    return f"chown -h {user} {path}{instead}"
