"""The file of the private JWK Set: atomic reads, and one writer at a time."""

import contextlib
import errno
import fcntl
import os
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from service.config import permissions
from service.errors import Fault
from service.keys import key_set
from service.keys.file_entry import Entries
from service.system import file_access, file_owner, replaced_file
from service.system.file_access import Exposure

_WAIT_SECONDS = 10.0
_LOOK_SECONDS = 0.05
HOW_TO = "generate one with: python -m service key generate"


class BadFile(Fault):
    """An error in the key file. `reason` contains no path and no secret.

    `cure` is a command with paths, '' if there is none.
    """

    def __init__(self, path: Path, reason: str, cure: str = "") -> None:
        self.reason, self.cure = reason, cure
        what = f"{reason}. Run: {cure}" if cure else reason
        super().__init__(f"Invalid key file {path} (JWT_KEYS_FILE):\n  {what}")


def read(path: Path, *, ours_alone: bool = False) -> Entries:
    """Return the keys of a file or link. Raises BadFile with all errors.

    With `ours_alone`, also raise it if users other than root and our own can change the file.
    """
    try:
        with _open(path, str(path)) as stream:
            if ours_alone and (found := file_access.of(path, stream.fileno())) is not None:
                raise _exposed(path, found)
            return _parsed(path, stream)
    except FileNotFoundError:
        raise BadFile(path, f"the file is missing; {HOW_TO}") from None
    except OSError as error:
        raise BadFile(path, f"the file cannot be read ({_why(error)})") from error


def exposure(path: Path) -> Exposure | None:
    """Return why others can change the file, for a command that keeps its owner."""
    try:
        with file_owner.as_owner(path):
            return file_access.at(path, leaves_owner=os.geteuid() == 0)
    except OSError:
        return None  # opening the file reports the error


def require_ours_alone(path: Path) -> None:
    """Raise BadFile if others can change the file, before a command asks for confirmation."""
    if (found := exposure(path)) is not None:
        raise _exposed(path, found)


def change(
    path: Path,
    how: Callable[[Entries], Entries],
    *,
    create: bool = False,
    ours_alone: bool = False,
    takes_over: bool = False,
) -> Entries:
    """Change the keys of a file with `how` and return them. With `create`, the file may be missing.

    Writers wait for each other, up to a timeout. Readers see the keys before or after the change.
    With `ours_alone`, raise BadFile if others can change the file, as a server does: its keys may
    be theirs. With `takes_over`, the file may belong to another user, since `how` retires all its
    keys. Raises BadFile, and what `how` raises.
    """
    if not create:
        read(path)
    try:
        with file_owner.as_owner(path):
            real = path.resolve()
            real.parent.mkdir(parents=True, exist_ok=True)
            with _locked_folder(path, real) as folder:
                before, facts = _before(
                    path, real.name, folder, create=create, ours_alone=ours_alone
                )
                if takes_over and facts is not None and _is_anothers(facts):
                    facts = None
                after = how(before)
                replaced_file.replace(folder, real, key_set.write(after), facts)
    except replaced_file.AccessLost as error:
        raise BadFile(path, f"nothing was changed: {error}") from None
    except OSError as error:
        raise BadFile(path, f"the file cannot be written ({_why(error)})") from error
    return after


@contextlib.contextmanager
def _locked_folder(path: Path, real: Path) -> Iterator[int]:
    folder = os.open(real.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with _locked(path, folder, real.name):
            yield folder
    finally:
        os.close(folder)


def _before(
    path: Path, name: str, folder: int, *, create: bool, ours_alone: bool
) -> tuple[Entries, os.stat_result | None]:
    """Return the keys and the status of the file. With `create`, nothing for a missing file."""
    try:
        with _open(path, name, folder) as stream:
            leaves = os.geteuid() == 0
            found = file_access.of(path, stream.fileno(), leaves_owner=leaves)
            if ours_alone and found is not None:
                raise _exposed(path, found)
            replaced_file.require_no_acl(stream.fileno())
            return _parsed(path, stream), os.fstat(stream.fileno())
    except FileNotFoundError:
        if not create:
            raise
        if ours_alone and (found := file_access.on_the_way(path)) is not None:
            raise _exposed(path, found) from None
        return (), None


def _is_anothers(facts: os.stat_result) -> bool:
    """Return whether the file belongs to another user, neither root nor ours."""
    return os.geteuid() not in {0, facts.st_uid} and facts.st_uid != 0


def _exposed(path: Path, found: Exposure) -> BadFile:
    return BadFile(path, f"it is a file {found.what}", permissions.keys_cure(found))


@contextlib.contextmanager
def _open(path: Path, name: str, folder: int | None = None) -> Iterator[BinaryIO]:
    """Open a file without waiting for a pipe. Inside `folder`, `name` must not be a link."""
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
    if folder is not None:
        flags |= os.O_NOFOLLOW
    with os.fdopen(os.open(name, flags, dir_fd=folder), "rb") as stream:
        if not file_owner.is_regular(stream.fileno()):
            raise BadFile(path, "the path is not a regular file; it may be a pipe or a device")
        yield stream


def _parsed(path: Path, stream: BinaryIO) -> Entries:
    try:
        return key_set.parse(stream.read(key_set.MAX_BYTES + 1))
    except ValueError as error:
        raise BadFile(path, str(error)) from None


def _why(error: OSError) -> str:
    """Return the reason of an error, without a path."""
    return str(error.strerror or type(error).__name__)


@contextlib.contextmanager
def _locked(path: Path, folder: int, name: str) -> Iterator[None]:
    """Hold the lock: a separate file, because the key file itself is replaced."""
    lock, is_new = _open_lock(path, folder, f"{name}.lock")
    try:
        if not file_owner.is_regular(lock):
            raise BadFile(path, f"{name}.lock is not a regular file: remove it")
        if is_new:
            _give_to_owner(lock, folder, name)
        _wait_for(path, lock, name)
        yield
    finally:
        os.close(lock)


def _wait_for(path: Path, lock: int, name: str) -> None:
    """Wait for the lock and take it. Raises BadFile if another process holds it too long."""
    deadline = time.monotonic() + _WAIT_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                reason = (
                    f"another process has held {name}.lock for over {_WAIT_SECONDS:.0f} s: find it"
                    f" with fuser {name}.lock, stop it and try again; nothing was changed"
                )
                raise BadFile(path, reason) from None
            time.sleep(_LOOK_SECONDS)
        else:
            return


def _open_lock(path: Path, folder: int, lock: str) -> tuple[int, bool]:
    """Open the lock file, not through a link. Return whether this call created it."""
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        return os.open(lock, flags | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=folder), True
    except FileExistsError:
        pass
    try:
        return os.open(lock, flags, dir_fd=folder), False
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.EISDIR, errno.ENXIO}:
            raise BadFile(path, f"{lock} is not a regular file: remove it") from error
        raise


def _give_to_owner(descriptor: int, folder: int, name: str) -> None:
    """Give the new lock file to the owner of the keys, if root runs the command."""
    with contextlib.suppress(FileNotFoundError):
        owner = os.stat(name, dir_fd=folder, follow_symlinks=False)
        is_others = owner.st_uid != os.fstat(descriptor).st_uid
        if is_others and stat.S_ISREG(owner.st_mode) and os.geteuid() == 0:
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
