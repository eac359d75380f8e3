"""Replace a file atomically and keep its access rights."""

import errno
import os
import secrets
import stat
from pathlib import Path

_ROOT = 0
_ACL = "system.posix_acl_access"


class AccessLost(Exception):
    """A new file would not have the access rights of the old one. The message has the remedy."""


def replace(folder: int, path: Path, data: bytes, before: os.stat_result | None) -> None:
    """Replace a file with bytes, atomically and durably. `folder` is its open folder.

    `before` is the status of the old file: the new one gets its owner (for root), its group and its
    group's right to read, so the mode is at most 0640. Without `before`, or if every user could
    read the old file, the mode is 0600. Raises AccessLost and changes nothing if the service could
    not read the new file.
    """
    name = path.name
    partial = f".{name}.{secrets.token_hex(8)}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(partial, flags, 0o600, dir_fd=folder)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            if before is not None:
                _keep_access(path, stream.fileno(), before)
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(partial, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        os.unlink(partial, dir_fd=folder)
        raise
    os.fsync(folder)


def require_no_acl(descriptor: int) -> None:
    """Raise AccessLost if an open file has an access control list.

    A new file would not have it.
    """
    try:
        os.getxattr(descriptor, _ACL)
    except OSError as error:
        if error.errno not in {errno.ENODATA, errno.ENOTSUP}:
            raise
        return
    raise AccessLost(
        "the file has an access control list (ACL), which a new file would not have. Give the file"
        " to the group of the service instead (chgrp, chmod 640), and remove the list: setfacl -b"
    )


def _keep_access(path: Path, descriptor: int, before: os.stat_result) -> None:
    made, is_root = os.fstat(descriptor), os.geteuid() == _ROOT
    if not is_root and before.st_uid not in {_ROOT, made.st_uid}:
        raise AccessLost(
            f"the file belongs to user {before.st_uid}, who could not read a new one of yours. Run"
            " the command as that user or as root"
        )
    owner = before.st_uid if is_root else made.st_uid
    is_public = bool(before.st_mode & stat.S_IROTH)
    is_exposed = bool(before.st_mode & stat.S_IWOTH)  # rejected in production
    if is_public and not is_exposed and owner == _ROOT and _others_come_by(path):
        raise AccessLost(
            "every user of this machine can read the file, and a new one is never readable for all:"
            " a service that does not run as root would lose it. First give the file to the"
            " service's group (chgrp GROUP, chmod 640); if the service runs as root: chmod 600"
        )
    group_reads = 0 if is_public else before.st_mode & stat.S_IRGRP
    if (owner, before.st_gid) != (made.st_uid, made.st_gid) and (is_root or group_reads):
        _give(descriptor, owner, before.st_gid)
    os.fchmod(descriptor, 0o600 | group_reads)


def _others_come_by(path: Path) -> bool:
    """Return whether users other than root may enter all folders on the path."""
    may_enter = stat.S_IXGRP | stat.S_IXOTH
    return all(above.stat().st_mode & may_enter for above in path.parents)


def _give(descriptor: int, owner: int, group: int) -> None:
    try:
        os.fchown(descriptor, owner, group)
    except PermissionError as error:
        raise AccessLost(
            f"the file belongs to user {owner} and group {group}, and you cannot give a new one to"
            " them. Run the command as root; if the group need not read the file: chmod g-r"
        ) from error
