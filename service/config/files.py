"""The files of settings: `.env`, and the files of NAME_FILE settings."""

import io
import os
import select
import stat
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

from dotenv.parser import parse_stream

from service.config import enclosed
from service.system import file_access
from service.system.file_access import Exposure

_MAX_BYTES = 65536
_PIPE_SECONDS = 5
_PIPES: dict[tuple[str, int, int] | None, bytes] = {}
"""What came through each pipe, since a command reads its settings more than once, and the program
at the other end may write only once."""
_AGAIN_SECONDS = 2


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
    """Return the text of a secret file, without what sticks to it (service.config.enclosed)."""
    try:
        text = enclosed.without_ends(_text(_read(name, path, seen)))
    except _TooLarge:
        faults[name] = f"names a file of more than {_MAX_BYTES} bytes"
        return None
    except (OSError, ValueError) as error:
        faults[name] = f"must be the path of a readable text file: {_reason(error)}"
        return None
    if not text:
        faults[name] = "names an empty file"
        return None
    if enclosed.is_quoted(text):
        faults[name] = f"names a file whose text {enclosed.QUOTED}"
        return None
    return text


class _TooLarge(ValueError):
    """A file has more bytes than a setting may have."""


class _NotText(ValueError):
    """A file is not UTF-8. The message says what it is."""


def _text(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or (b"\0" in data and _is_utf_8(data)):
        raise _NotText("it is UTF-16, or has NUL characters; save it as UTF-8")
    return data.decode("utf-8")


def _is_utf_8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _reason(error: OSError | ValueError) -> str:
    """Return why a file cannot be read, without its path or content."""
    if isinstance(error, _NotText):
        return str(error)
    if isinstance(error, _TooLarge):
        return f"it has more than {_MAX_BYTES} bytes"
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

    Raises OSError, UnsupportedOperation for other kinds of files, and ValueError for a large one.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        kind = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(kind):
            raise IsADirectoryError
        if not stat.S_ISREG(kind) and not stat.S_ISFIFO(kind):
            raise io.UnsupportedOperation
        seen.note(name, path, descriptor)
        facts = os.fstat(descriptor)
        pipe = (str(path), facts.st_dev, facts.st_ino) if stat.S_ISFIFO(kind) else None
        poll = select.poll()  # select() takes only low descriptors
        poll.register(file, select.POLLIN)
        before = _PIPES.get(pipe)
        patience = _PIPE_SECONDS if before is None else _AGAIN_SECONDS
        data, deadline = b"", time.monotonic() + patience
        while len(data) <= _MAX_BYTES:
            left = max(0.0, deadline - time.monotonic())
            if not poll.poll(left * 1000):
                if before is not None and not data:
                    return before
                raise TimeoutError
            part = file.read(_MAX_BYTES + 1 - len(data))
            if not part:
                data = data or before or b""
                if pipe is not None:
                    _PIPES[pipe] = data
                return data
            data += part
        raise _TooLarge


def read_dotenv(path: Path, faults: dict[str, str], seen: Seen) -> dict[str, str]:
    """Return the settings in the file or pipe `.env`, {} if it does not exist."""
    try:
        text = _text(_read(str(path), path, seen)).removeprefix("\ufeff")
        bindings = list(parse_stream(io.StringIO(text, newline=None)))
    except FileNotFoundError:
        seen.note_missing(str(path), path)
        return {}
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
