"""The files of settings: `.env`, and the files of NAME_FILE settings."""

import io
import os
import select
import stat
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

from dotenv.parser import parse_stream

from service.system import file_access
from service.system.file_access import Exposure

_MAX_SECRET_FILE = 65536
_PIPE_SECONDS = 5


@dataclass(slots=True)
class Seen:
    """The files that were read: those with secrets, and those that other users can change."""

    secrets: dict[str, Path] = field(default_factory=dict)
    exposed: dict[str, Exposure] = field(default_factory=dict)

    def note_missing(self, name: str, path: Path) -> None:
        """Note why others could put a file in place that is not there, or have taken it away."""
        if (found := file_access.on_the_way(path)) is not None:
            what = f"that does not exist, {found.what}"
            self.exposed[name] = replace(found, what=what)

    def note(self, name: str, path: Path, descriptor: int) -> None:
        """Record why other users can change an open file, if they can."""
        if (found := file_access.of(path, descriptor)) is not None:
            self.exposed[name] = found


def read_secret(name: str, path: Path, faults: dict[str, str], seen: Seen) -> str | None:
    """Return the text of a secret file without its final line end."""
    try:
        data = _read(name, path, seen)
        text = data.decode("utf-8")
    except (OSError, ValueError) as error:
        faults[name] = f"must be the path of a readable text file: {_reason(error)}"
        return None
    if len(data) > _MAX_SECRET_FILE:
        faults[name] = f"names a file of more than {_MAX_SECRET_FILE} bytes"
        return None
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        faults[name] = "names an empty file"
    return text or None


def _reason(error: OSError | ValueError) -> str:
    """Return why a file cannot be read, without its path or content."""
    if isinstance(error, UnicodeError):
        return "it is not UTF-8"
    if isinstance(error, io.UnsupportedOperation):
        return "it is neither a file nor a pipe"
    if isinstance(error, FileNotFoundError):
        return "it does not exist"
    if isinstance(error, IsADirectoryError):
        return "it is a folder"
    if isinstance(error, TimeoutError):
        return f"the pipe was not closed within {_PIPE_SECONDS} s"
    return getattr(error, "strerror", None) or type(error).__name__


def _read(name: str, path: Path, seen: Seen) -> bytes:
    """Read a file or a pipe. The data must arrive within some seconds.

    Raises OSError, and UnsupportedOperation for other kinds of files.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        kind = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(kind):
            raise IsADirectoryError
        if not stat.S_ISREG(kind) and not stat.S_ISFIFO(kind):
            raise io.UnsupportedOperation
        seen.note(name, path, descriptor)
        data, deadline = b"", time.monotonic() + _PIPE_SECONDS
        while len(data) <= _MAX_SECRET_FILE:
            left = max(0.0, deadline - time.monotonic())
            if not select.select([file], [], [], left)[0]:
                raise TimeoutError
            part = file.read(_MAX_SECRET_FILE + 1 - len(data))
            if not part:
                break
            data += part
        return data


def read_dotenv(path: Path, faults: dict[str, str], seen: Seen) -> dict[str, str]:
    """Return the settings in the file `.env`, {} if it does not exist."""
    if not path.is_file():
        seen.note_missing(str(path), path)
        return {}
    try:
        with path.open(encoding="utf-8") as stream:
            seen.note(str(path), path, stream.fileno())
            bindings = list(parse_stream(stream))
    except (OSError, ValueError) as error:
        faults[str(path)] = f"cannot be read: {_reason(error)}"
        return {}
    for binding in bindings:
        if binding.error or (binding.key is not None and binding.value is None):
            text = binding.original.string
            blank = len(text[: len(text) - len(text.lstrip())].splitlines())
            faults[f"{path}, line {binding.original.line + blank}"] = "is not NAME=value"
    values = {binding.key: binding.value for binding in bindings if binding.key}
    return {name: value for name, value in values.items() if value}
