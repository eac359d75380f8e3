"""Log lines: text for people, JSON for machines; control characters escaped, tokens taken out."""

import json
import logging
import re
import sys
import time
from typing import Any, Literal, TextIO

LOGGER = logging.getLogger("latchkey")

_TOKEN = re.compile(r"eyJ[A-Za-z0-9_.-]{6,}")
_PLAIN = re.compile(r"[!#-\[\]-~]+")
_MAX_VALUE = 300


def event(name: str, *, level: int = logging.INFO, **fields: object) -> None:
    """Write one line: what happened, and its facts. A field that is None is left out."""
    if LOGGER.isEnabledFor(level):
        LOGGER.log(level, name, extra={"fields": fields})


def redact(text: str) -> str:
    """Take everything that looks like a JWT out of a text."""
    return _TOKEN.sub("[token]", text) if "eyJ" in text else text


def configure(level: str, form: Literal["text", "json"], stream: TextIO | None = None) -> None:
    """Send every log line of this process to `stream` (standard error) in one form."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for noisy in ("aiosqlite", "asyncio", "yoyo"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))


class _Formatter(logging.Formatter):
    """Common to both forms: the facts of a record as plain, safe values."""

    _second = -1
    _stamp = ""

    def facts(self, record: logging.LogRecord) -> dict[str, Any]:
        """Return the fields of a record in order, with the reason of an exception last."""
        fields: dict[str, Any] = getattr(record, "fields", None) or {}
        facts = {name: _safe(value) for name, value in fields.items() if value is not None}
        if record.exc_info and record.exc_info[0]:
            facts["exception"] = redact(self.formatException(record.exc_info))
        return facts

    def moment(self, record: logging.LogRecord) -> str:
        """Return the time of a record, RFC 3339, UTC, milliseconds."""
        second = int(record.created)
        if second != self._second:
            self._second = second
            self._stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._stamp}.{int(record.msecs):03d}Z"


class TextFormatter(_Formatter):
    """`time level event name=value …`; values with blanks or quotes stand in quotes, escaped."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record as one line; an exception's traceback follows, indented."""
        facts = self.facts(record)
        trace = facts.pop("exception", None)
        message = _quote(_safe(record.getMessage()), plain=" ")
        pairs = "".join(f" {name}={_quote(value)}" for name, value in facts.items())
        line = f"{self.moment(record)} {record.levelname.lower():7} {message}{pairs}"
        return line if trace is None else line + "\n    " + _escape(trace).replace("\\n", "\n    ")


class JsonFormatter(_Formatter):
    """One JSON object a line: `time`, `level`, `event` and the fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record as one line."""
        return json.dumps(
            {
                "time": self.moment(record),
                "level": record.levelname.lower(),
                "event": _safe(record.getMessage()),
                **self.facts(record),
            }
        )


def _safe(value: object) -> Any:
    if isinstance(value, (int, float)):
        return value
    text = str(value)
    return redact(text if len(text) <= _MAX_VALUE else text[:_MAX_VALUE] + "…")


def _quote(value: object, plain: str = "") -> str:
    text = str(value)
    if _PLAIN.fullmatch(text.replace(plain, "") if plain else text):
        return text
    return _escape(text) if plain else f'"{_escape(text)}"'


def _escape(text: str) -> str:
    return json.dumps(text)[1:-1]
