"""Import files with one user per line: CSV or JSON Lines, parsed strictly. Reports all faults."""

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from service import errors, users
from service.parsing import strict_json
from service.schemas import user_input
from service.schemas.import_lines import NOT_UTF_8, Unreadable, lines
from service.schemas.messages import in_words, shown
from service.users import NewUser

FORMATS = ("csv", "jsonl")
COLUMNS = ("username", "name", "email", "roles", "disabled")
SEPARATORS = ",;\t|"
"""The separators of CSV. Excel writes semicolons where the comma is the decimal separator."""

_SEPARATOR_LINE = re.compile(rf'"?sep=([{re.escape(SEPARATORS)}])"?\1*', re.IGNORECASE)
"""The line in which a file names its separator, for Excel."""
_CODE_PAGE = Unreadable(("is not UTF-8. In Excel, save the file as “CSV UTF-8”",))
_ROLES = re.compile(r"[\s;,]+")
_TRUE = "true yes 1 wahr ja vrai oui verdadero sí vero sì verdadeiro sim waar prawda sant sand tosi"
_FALSE = "false no 0 falsch nein faux non falso não onwaar nee fałsz falskt falsk epätosi"
_TRUTHS: dict[str, bool] = {
    **dict.fromkeys(_TRUE.split(), True),
    **dict.fromkeys(_FALSE.split(), False),
}
"""Excel writes the words of its language."""
_CSV_ERRORS = {
    "unexpected end of data": "a quotation mark is not closed on its line",
    "new-line character": "it has the line ends of old Macintosh computers; save it as CSV UTF-8",
}
_READ_ONLY = frozenset({"id", "version", "created_at", "updated_at"})


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
        if isinstance(value, Unreadable):
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


def _name(value: object) -> str | None:
    """Return the normalized user name of a value, None if it is missing or invalid."""
    name = value.get("username") if isinstance(value, Mapping) else None
    try:
        return users.normalize_username(name) if isinstance(name, str) else None
    except errors.InvalidName:
        return None


def _json_lines(stream: BinaryIO) -> Iterator[tuple[int, Any]]:
    for number, line in lines(stream):
        if isinstance(line, Unreadable):
            yield number, line
            continue
        try:
            value = strict_json.loads(line)
            if isinstance(value, dict):  # of the API or `user list --json`, perhaps elsewhere
                value = {key: each for key, each in value.items() if key not in _READ_ONLY}
            yield number, value
        except UnicodeDecodeError:
            yield number, NOT_UTF_8
        except (ValueError, RecursionError) as error:
            yield number, Unreadable((f"is not JSON: {_plain(error)}",))


def _csv(stream: BinaryIO) -> Iterator[tuple[int, dict[str, Any] | Unreadable]]:
    """Yield a value for each line. Quoted values cannot span lines, as no value has a line end.

    The first line may name the separator. If it does not, the column names show it.
    """
    separator: str | None = None
    columns: list[str] | None = None
    for number, line in lines(stream):
        if isinstance(line, Unreadable):
            yield number, line
            if columns is None:
                return
        elif columns is None and separator is None and (named := _named_separator(line)):
            separator = named
        elif columns is None:
            separator = separator or _separator_of(line)
            cells = _cells(line, separator)
            columns = _columns(cells) if isinstance(cells, list) else []
            faults = cells.faults if isinstance(cells, Unreadable) else _column_faults(columns)
            if faults:
                yield number, Unreadable(faults)
                return
        else:
            cells = _cells(line, separator or ",")
            if isinstance(cells, Unreadable):
                yield number, cells
            elif any(cells):
                yield number, _row(cells, columns)


def _named_separator(line: bytes) -> str | None:
    """Return the separator that a line such as `sep=;` names, or None."""
    match = _SEPARATOR_LINE.fullmatch(line.decode("utf-8", "replace"))
    return match[1] if match else None


def _separator_of(header: bytes) -> str:
    """Return the separator that makes column names of a header, by default the comma."""
    for separator in SEPARATORS:
        cells = _cells(header, separator)
        if isinstance(cells, list) and not _column_faults(_columns(cells)):
            return separator
    text = header.decode("utf-8", "replace")
    return max(SEPARATORS, key=text.count)


def _columns(cells: list[str]) -> list[str]:
    """Return the column names. Empty columns at the end, which Excel can write, do not count."""
    names = [cell.lower() for cell in cells]
    while names and not names[-1]:
        names.pop()
    return names


def _row(cells: list[str], columns: list[str]) -> dict[str, Any] | Unreadable:
    """Return a line in the format of JSON. Empty values after the last column do not count."""
    more = cells[len(columns) :]
    if len(cells) < len(columns) or any(more):
        return Unreadable((f"has {len(cells)} values, but there are {len(columns)} columns",))
    return _user(dict(zip(columns, cells, strict=False)))


def _cells(line: bytes, separator: str) -> list[str] | Unreadable:
    try:
        text = line.decode("utf-8")
        (cells,) = csv.reader([text], delimiter=separator, strict=True, skipinitialspace=True)
    except UnicodeDecodeError:
        return _CODE_PAGE
    except (csv.Error, ValueError) as error:
        known = (reason for part, reason in _CSV_ERRORS.items() if part in str(error))
        return Unreadable((f"is not CSV: {next(known, _plain(error))}",))
    return [cell.strip() for cell in cells]


def _column_faults(columns: list[str]) -> tuple[str, ...]:
    columns_help = f"use {', '.join(COLUMNS)}, separated by commas, semicolons or tabs"
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
