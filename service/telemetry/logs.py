"""Log lines in text or JSON. Control characters are escaped, and tokens are removed.

A line costs 10 % of a sign-in; with the records and handlers of the standard library it was 30 %
(docs/decisions/0004-logs.md). Records of libraries arrive through a handler.
"""

import asyncio
import contextlib
import json
import logging
import re
import sys
import time
import traceback
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from functools import lru_cache
from typing import Any, Literal, TextIO

from service.telemetry.log_output import LogOutput

DEBUG, INFO, WARNING, ERROR = logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR

Form = Literal["text", "json"]

_TOKEN = re.compile(r"eyJ[A-Za-z0-9_.-]{6,}")
_LINK = re.compile(r"(?<=/links/).+", re.IGNORECASE | re.DOTALL)
_PLAIN = re.compile(r"[!#-\[\]-~]{1,300}")
_MAX_VALUE = 300
_LEVELS = {DEBUG: "debug", INFO: "info", WARNING: "warning", ERROR: "error"}
_NUMBERS = frozenset({int, float})
_encode = json.JSONEncoder().encode


def event(name: str, *, level: int = INFO, **fields: object) -> None:
    """Write one line: the name of the event and its fields. Omits fields that are None."""
    _current().write(time.time(), level, name, fields)


def answered(  # noqa: PLR0913  # the fields of the line
    *,
    method: str,
    path: str,
    status: int,
    seconds: float,
    user: str | None,
    client: str | None,
    id: str,  # noqa: A002  # the field's name in the line
) -> None:
    """Write the line of one answer, an event `request`. The text form has a faster path.

    The secret of a link, at the end of its path, is left out.
    """
    if "links/" in path.lower():
        path = _LINK.sub("{secret}", path)
    ms = round(seconds * 1000, 2)
    sink = _current()
    if not sink.is_text:
        event(
            "request",
            method=method,
            path=path,
            status=status,
            ms=ms,
            user=user,
            client=client,
            id=id,
        )
    elif sink.level <= INFO:
        who = f" user={_word(user)}" if user is not None else ""
        where = f" client={_word(client)}" if client is not None else ""
        sink.append(
            f"{sink.rfc3339(time.time())} info    request method={method} path={_word(path)}"
            f" status={status} ms={ms}{who}{where} id={id}\n"
        )


def unexpected(error: BaseException, **fields: object) -> None:
    """Write a line with a traceback for an unexpected error."""
    event("error", level=ERROR, **fields, exception=_trace(error))


def configure(level: str, form: Form, stream: TextIO | None = None) -> None:
    """Send all log lines of this process to `stream`. Default: standard error."""
    global _sink  # noqa: PLW0603  # one process has one log, as it has one standard error
    _sink = Sink(stream or sys.stderr, form, logging.getLevelNamesMapping()[level.upper()])
    root = logging.getLogger()
    root.handlers = [_FromLibraries(_sink)]
    root.setLevel(max(logging.WARNING, _sink.level))


@contextlib.contextmanager
def separate(level: str, form: Form, stream: TextIO) -> Iterator[None]:
    """Send only the log lines of the block to `stream`, for several servers in a process.

    Includes the tasks and callbacks that the block starts. Records of libraries have a level of at
    least WARNING, unless the root logger is more verbose.
    """
    sink = Sink(stream, form, logging.getLevelNamesMapping()[level.upper()])
    root, from_libraries = logging.getLogger(), _FromLibraries(sink)
    token = _own.set(sink)
    root.addHandler(from_libraries)
    try:
        yield
    finally:
        root.removeHandler(from_libraries)
        _own.reset(token)
        sink.flush()


def flush() -> None:
    """Write the buffered lines after the event loop has ended."""
    _current().flush()


def redact(text: str) -> str:
    """Remove everything that looks like a JWT from a text."""
    return _TOKEN.sub("[token]", text) if "eyJ" in text else text


class Sink:
    """The destination of lines. Those of one loop iteration are written in one system call."""

    def __init__(self, stream: TextIO, form: Form, level: int) -> None:
        self.level = level
        self.is_text = form == "text"
        self._output = LogOutput(stream)
        self._line = _text_line if form == "text" else _json_line
        self._waiting: list[str] = []
        self._second = -1
        self._stamp = ""

    def write(self, moment: float, level: int, name: str, fields: Mapping[str, object]) -> None:
        """Write a line if its level is high enough. `moment` is in seconds since 1970."""
        if level >= self.level:
            self.append(self._line(self.rfc3339(moment), level, name, fields))

    def append(self, line: str) -> None:
        """Write a complete line at the end of this loop iteration."""
        self._waiting.append(line)
        if len(self._waiting) == 1:
            try:
                asyncio.get_running_loop().call_soon(self.flush)
            except RuntimeError:
                self.flush()

    def flush(self) -> None:
        """Write the buffered lines. Errors are ignored."""
        lines, self._waiting = self._waiting, []
        self._output.write("".join(lines))
        if (lost := self._output.lost) and not self._output.is_behind:
            self._output.lost = 0
            self.write(time.time(), WARNING, "log_lines_lost", {"count": lost})

    def rfc3339(self, moment: float) -> str:
        """Return a time in the format of log lines: UTC with milliseconds."""
        second = int(moment)
        if second != self._second:
            self._second = second
            self._stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._stamp}.{int((moment - second) * 1000):03d}Z"


class _FromLibraries(logging.Handler):
    """Forwards the records of libraries to a log, if they come from its context."""

    def __init__(self, sink: Sink) -> None:
        super().__init__()
        self._sink = sink

    def emit(self, record: logging.LogRecord) -> None:
        if _current() is not self._sink:
            return
        try:
            message = record.getMessage()
        except Exception:  # noqa: BLE001  # a wrong log call must not become an error
            message = str(record.msg)
        fields: dict[str, object] = {"logger": record.name, "message": message}
        if record.exc_info and record.exc_info[1]:
            fields["exception"] = _trace(record.exc_info[1])
        self._sink.write(record.created, record.levelno, "library", fields)


def _text_line(moment: str, level: int, name: str, fields: Mapping[str, Any]) -> str:
    """Return `time level event name=value …`, with an indented traceback of an exception."""
    line = f"{moment} {_LEVELS.get(level, 'error'):7} {name}"
    for key, value in fields.items():
        if type(value) in _NUMBERS:
            line += f" {key}={value}"
        elif value is not None and key != "exception":
            line += f" {key}={_word(value)}"
    trace = fields.get("exception")
    if trace is None:
        return line + "\n"
    escaped = [_encode(redact(part))[1:-1] for part in trace.splitlines()]
    return "\n    ".join((line, *escaped)) + "\n"


def _json_line(moment: str, level: int, name: str, fields: Mapping[str, Any]) -> str:
    """Return a JSON object with `time`, `level`, `event` and the fields."""
    line = {"time": moment, "level": _LEVELS.get(level, "error"), "event": name}
    line |= {key: _safe(value) for key, value in fields.items() if value is not None}
    if "exception" in fields:
        line["exception"] = redact(fields["exception"])
    return _encode(line) + "\n"


def _word(value: object) -> str:
    text = str(value)
    return _short_word(text) if len(text) <= _MAX_VALUE else _encode(_safe(text))


@lru_cache(maxsize=1024)
def _short_word(text: str) -> str:
    if "eyJ" not in text and _PLAIN.fullmatch(text):
        return text
    return _encode(_safe(text))


def _trace(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


def _safe(value: object) -> Any:
    if isinstance(value, (int, float)):
        return value
    text = str(value)
    return redact(text if len(text) <= _MAX_VALUE else text[:_MAX_VALUE] + "…")


def _current() -> Sink:
    return _own.get() or _sink


_sink = Sink(sys.stderr, "text", INFO)
_own: ContextVar[Sink | None] = ContextVar("log", default=None)
"""The log of a `separate` block, instead of the log of the process."""
