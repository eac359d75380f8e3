"""The private JWK Set in a file: read whole or not at all, changed by one writer at a time."""

import contextlib
import fcntl
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from service import strict_json
from service.errors import Fault
from service.keys import timeline
from service.keys.timeline import Entries

_MAX_BYTES = 1 << 20
_NO_SET = 'the file is not a JWK Set: {"keys": [...]} (RFC 7517 section 5)'
HOW_TO = "make one with: python -m service key generate"


class BadFile(Fault):
    """What is wrong with the file of keys. `reason` names no path and no secret."""

    def __init__(self, path: Path, reason: str) -> None:
        self.reason = reason
        super().__init__(f"The keys in {path} (JWT_KEYS_FILE) need mending:\n  {reason}")


def read(path: Path) -> Entries:
    """Return the keys of a file. Raises BadFile, with everything that is wrong."""
    try:
        with path.open("rb") as stream:
            data = stream.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        raise BadFile(path, f"the file is missing; {HOW_TO}") from None
    except OSError as error:
        raise BadFile(path, f"the file cannot be read ({type(error).__name__})") from error
    try:
        return _parse(data)
    except ValueError as error:
        raise BadFile(path, str(error)) from None


def change(path: Path, how: Callable[[Entries], Entries], *, create: bool = False) -> Entries:
    """Change the keys of a file, and return them. With `create` a missing file is an empty one.

    Whoever changes it at the same time waits, so that no change is lost; whoever reads it sees the
    keys before or those after. Raises BadFile, and what `how` raises.
    """
    if not create:
        read(path)
    real = path.resolve()
    try:
        real.parent.mkdir(parents=True, exist_ok=True)
        with _locked(real):
            after = how(read(path) if real.exists() or not create else ())
            _replace(real, _write(after))
    except OSError as error:
        raise BadFile(path, f"the file cannot be written ({type(error).__name__})") from error
    return after


def _parse(data: bytes) -> Entries:
    if len(data) > _MAX_BYTES:
        raise ValueError("the file is over 1 MiB")
    try:
        document = strict_json.loads(data)
    except ValueError:
        raise ValueError("the file is not JSON (RFC 8259)") from None
    jwks = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(jwks, list):
        raise ValueError(_NO_SET)  # noqa: TRY004  # of the file, not of a program
    entries, faults = [], []
    for number, members in enumerate(jwks, 1):
        try:
            entries.append(timeline.read(members, alone=_is_alone(members, jwks)))
        except ValueError as error:
            faults.append(f"{_name(members, number)} {error}")
    if faults:
        raise ValueError("\n  ".join(faults))
    timeline.check_together(entries)
    return tuple(entries)


def _is_alone(members: Any, jwks: list[Any]) -> bool:
    """Tell whether no other key of the set is of the same type."""
    kinds = [other.get("kty") for other in jwks if isinstance(other, dict)]
    return isinstance(members, dict) and kinds.count(members.get("kty")) == 1


def _name(members: Any, number: int) -> str:
    """Name a key in a message: its place, and its `kid` if that can be shown."""
    kid = members.get("kid") if isinstance(members, dict) else None
    shown = isinstance(kid, str) and kid.isprintable() and 0 < len(kid) <= 128
    return f"key {number} ({kid})" if shown else f"key {number}"


def _write(entries: Entries) -> bytes:
    """Write the set, and read it again: what we could not read is never put in place."""
    jwks = [timeline.write(entry) for entry in entries]
    data = (json.dumps({"keys": jwks}, indent=2) + "\n").encode()
    _parse(data)
    return data


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock: a file beside the keys, since these are replaced and a lock goes with them."""
    lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _give_to_owner(lock, path)
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _replace(path: Path, data: bytes) -> None:
    """Put the bytes in place at once and for good, readable for the file's owner alone."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            _give_to_owner(stream.fileno(), path)
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink()
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _give_to_owner(descriptor: int, path: Path) -> None:
    """Leave a file to the owner of the one in place: root may rotate another user's keys."""
    with contextlib.suppress(FileNotFoundError):
        owner = path.stat()
        if owner.st_uid != os.fstat(descriptor).st_uid:
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
