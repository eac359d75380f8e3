"""Access files in another user's folder with that user's rights, if the process runs as root.

The owner of a folder can replace any name in it with a link to a file that the owner cannot access.
With the owner's rights, the system denies such an access, even if the names change meanwhile.
"""

import os
import pwd
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_MAX_LINKS = 40


@contextmanager
def as_owner(path: Path) -> Iterator[None]:
    """Act as the first user other than root that owns a folder or link on the path.

    Does nothing if the process is not root, or if root owns all of the path. Raises PermissionError
    with a reason that names the user, and other OSErrors.
    """
    owner = _first_other_owner(path) if os.geteuid() == 0 else None
    if owner is None:
        yield
        return
    group, groups = os.getegid(), os.getgroups()
    try:
        own_group, own_groups = _groups(owner)
        os.setgroups(own_groups)
        os.setegid(own_group)
        os.seteuid(owner.st_uid)
        yield
    except PermissionError as error:
        reason = f"{error.strerror}: root acts with the rights of user {owner.st_uid} here"
        raise PermissionError(error.errno, reason, str(path)) from error
    finally:
        os.seteuid(0)
        os.setegid(group)
        os.setgroups(groups)


def is_of_another(path: Path) -> bool:
    """Return whether another user than root, who runs this, controls a file. False for others."""
    if os.geteuid() != 0:
        return False
    try:
        return path.stat().st_uid != 0 or _first_other_owner(path) is not None
    except OSError:
        return False


def is_roots(path: Path) -> bool:
    """Return whether root owns all folders and links on a path."""
    return _first_other_owner(path) is None


def is_regular(descriptor: int) -> bool:
    """Return whether an open file is a regular file, not a pipe, device, socket or folder."""
    return stat.S_ISREG(os.fstat(descriptor).st_mode)


def _first_other_owner(path: Path) -> os.stat_result | None:
    """Return the status of the first folder or link on the path that root does not own.

    Its owner controls everything below it. Follows the path from `/`: everything above belongs to
    root and does not change meanwhile.
    """
    here, left, links = "/", list(reversed(path.absolute().parts[1:])), 0
    while left:
        below = os.path.join(here, left.pop())  # noqa: PTH118  # `..` applies after links
        try:
            found = os.lstat(below)
        except FileNotFoundError:
            return None
        if stat.S_ISLNK(found.st_mode):
            if found.st_uid != 0:
                return found
            links += 1
            target = Path(below).readlink()
            here = "/" if target.is_absolute() else here
            left += reversed([part for part in target.parts if part != "/"])
            if links > _MAX_LINKS:
                return None  # opening the path reports the error
        elif stat.S_ISDIR(found.st_mode):
            if found.st_uid != 0:
                return found
            here = below
        else:
            return None
    return None


def _groups(owner: os.stat_result) -> tuple[int, list[int]]:
    """Return the group and all groups of an owner; the folder's group for an unknown user."""
    try:
        entry = pwd.getpwuid(owner.st_uid)
    except KeyError:
        return owner.st_gid, [owner.st_gid]
    return entry.pw_gid, os.getgrouplist(entry.pw_name, entry.pw_gid)
