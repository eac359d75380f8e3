"""Import files with one user per line: CSV or JSON Lines, parsed strictly. Reports all faults."""

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from service import errors, users
from service.parsing import strict_json
from service.schemas import user_input
from service.schemas.messages import in_words, shown
from service.users import NewUser

FORMATS = ("csv", "jsonl")
COLUMNS = ("username", "name", "email", "roles", "disabled")
MAX_LINE = 65_536
"""The maximum size of a line in bytes: that of an API request."""

_BOM = b"\xef\xbb\xbf"
_ROLES = re.compile(r"[\s;]+")
_TRUTHS: dict[str, bool] = {
    **dict.fromkeys(("true", "yes", "1"), True),
    **dict.fromkeys(("false", "no", "0"), False),
}


@dataclass(frozen=True, slots=True)
class Line:
    """A non-empty line: a user or faults. `username` is None if it is invalid."""

    number: int
    username: str | None
    newcomer: NewUser | None
    faults: tuple[str, ...] = ()


def people(stream: BinaryIO, form: str, known_roles: Mapping[str, int]) -> Iterator[Line]:
    """Yield the users of a file in one of FORMATS. Stops after an invalid header line of CSV.

    `known_roles` are the IDs of the existing roles. A duplicate name is a fault.
    """
    first: dict[str, int] = {}
    for number, value in _csv(stream) if form == "csv" else _json_lines(stream):
        if isinstance(value, _Unreadable):
            yield Line(number, None, None, value.faults)
            continue
        name, faults, newcomer = _name(value), [], None
        try:
            newcomer = users.validate(**user_input.user(value, known_roles))
        except errors.ValidationError as invalid:
            faults = in_words(invalid, value)
        if name is not None and first.setdefault(name, number) != number:
            faults.append(f"username: {name} is already in line {first[name]}")
        yield Line(number, name, None if faults else newcomer, tuple(faults))


@dataclass(frozen=True, slots=True)
class _Unreadable:
    faults: tuple[str, ...]


def _name(value: object) -> str | None:
    """Return the normalized user name of a value, None if it is missing or invalid."""
    name = value.get("username") if isinstance(value, Mapping) else None
    try:
        return users.normalize_username(name) if isinstance(name, str) else None
    except errors.InvalidName:
        return None


def _lines(stream: BinaryIO) -> Iterator[tuple[int, bytes | _Unreadable]]:
    """Yield the non-empty lines without their ends. Reads at most MAX_LINE at once."""
    number = 0
    while line := stream.readline(MAX_LINE + 2):
        number += 1
        text = line.rstrip(b"\r\n")
        if number == 1:
            text = text.removeprefix(_BOM)
        if len(text) > MAX_LINE:
            while line and not line.endswith(b"\n"):
                line = stream.readline(MAX_LINE)
            yield number, _Unreadable((f"is longer than {MAX_LINE} bytes",))
        elif text.strip():
            yield number, text


def _json_lines(stream: BinaryIO) -> Iterator[tuple[int, Any]]:
    for number, line in _lines(stream):
        if isinstance(line, _Unreadable):
            yield number, line
            continue
        try:
            yield number, strict_json.loads(line)
        except UnicodeDecodeError:
            yield number, _NOT_UTF_8
        except (ValueError, RecursionError) as error:
            yield number, _Unreadable((f"is not JSON: {_plain(error)}",))


def _csv(stream: BinaryIO) -> Iterator[tuple[int, dict[str, Any] | _Unreadable]]:
    """Yield a value for each line. Quoted values cannot span lines, as no value has a line end."""
    columns: list[str] | None = None
    for number, line in _lines(stream):
        cells = line if isinstance(line, _Unreadable) else _cells(line)
        if columns is None:
            columns = [cell.lower() for cell in cells] if isinstance(cells, list) else []
            faults = _column_faults(columns) if isinstance(cells, list) else cells.faults
            if faults:
                yield number, _Unreadable(faults)
                return
        elif isinstance(cells, _Unreadable):
            yield number, cells
        elif len(cells) != len(columns):
            fault = f"has {len(cells)} values, but there are {len(columns)} columns"
            yield number, _Unreadable((fault,))
        elif any(cells):
            yield number, _user(dict(zip(columns, cells, strict=True)))


def _cells(line: bytes) -> list[str] | _Unreadable:
    try:
        (cells,) = csv.reader([line.decode("utf-8")], strict=True, skipinitialspace=True)
    except UnicodeDecodeError:
        return _NOT_UTF_8
    except (csv.Error, ValueError) as error:
        unclosed = "unexpected end of data" in str(error)
        reason = "a quotation mark is not closed on its line" if unclosed else _plain(error)
        return _Unreadable((f"is not CSV: {reason}",))
    return [cell.strip() for cell in cells]


def _column_faults(columns: list[str]) -> tuple[str, ...]:
    columns_help = f"use {', '.join(COLUMNS)}, separated by commas"
    unknown = [name for name in dict.fromkeys(columns) if name not in COLUMNS]
    twice = [name for name in COLUMNS if columns.count(name) > 1]
    missing = [] if "username" in columns else ["the column username is missing"]
    return (
        *(f"unknown column {shown(name)}: {columns_help}" for name in unknown),
        *(f"the column {name} is a duplicate" for name in twice),
        *missing,
    )


def _user(cells: dict[str, str]) -> dict[str, Any]:
    """Return a line of CSV in the format of JSON. Empty values become their defaults."""
    value: dict[str, Any] = dict(cells)
    value["roles"] = [role for role in _ROLES.split(cells.get("roles", "")) if role]
    disabled = value.pop("disabled", "")
    return {**value, "disabled": _TRUTHS.get(disabled.lower(), disabled)} if disabled else value


def _plain(error: Exception) -> str:
    text = str(error)
    return text if text.isprintable() else shown(text)


_NOT_UTF_8 = _Unreadable(("is not UTF-8",))
