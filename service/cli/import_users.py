"""`user create --file`: check a whole file, then create its users in one transaction."""

import stat
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import click

from service import errors, users
from service.cli import database_session, output
from service.db import Database
from service.schemas import import_files
from service.users import NewUser

_SHOWN = 100
"""The maximum number of faults to print."""

_STEP = 500  # lines between two updates of the progress bar


@dataclass
class _Batch:
    """The users of a file, and the first faults found in it."""

    name: str
    newcomers: list[NewUser] = field(default_factory=list)
    lines: dict[str, int] = field(default_factory=dict)
    """The line of the first occurrence of each user name."""
    faults: list[tuple[int, str]] = field(default_factory=list)
    count: int = 0
    """The number of all faults, including those that are not in `faults`."""

    def add(self, line: import_files.Line) -> None:
        """Add a line."""
        if line.newcomer is not None:
            self.newcomers.append(line.newcomer)
        if line.username is not None:
            self.lines.setdefault(line.username, line.number)
        self.count += len(line.faults)
        if len(self.faults) < _SHOWN:
            self.faults += [(line.number, fault) for fault in line.faults]

    def require_good(self, taken: set[str]) -> None:
        """Raise Fault with the faults and the names that already exist, if there are any."""
        exist = [(self.lines[name], f"username: {name} already exists") for name in taken]
        count = self.count + len(exist)
        if not count:
            return
        first = sorted([*self.faults, *exist], key=lambda fault: fault[0])[:_SHOWN]
        lines = [f"  line {number}: {fault}" for number, fault in first]
        more = [f"  … and {count - len(first)} more"] if count > len(first) else []
        raise errors.Fault("\n".join([f"{self.name}: no users were created.", *lines, *more]))


def create(file: Path, form: str, *, dry_run: bool, json_form: bool) -> None:
    """Create the users of a file; `form` is one of import_files.FORMATS. Raises Fault."""
    batch = _read(file, form, database_session.with_database(users.role_ids))
    if not (batch.newcomers or batch.count):
        raise errors.Fault(f"{batch.name} contains no users.")
    database_session.with_database(lambda database: _create(database, batch, dry_run=dry_run))
    count = len(batch.newcomers)
    sentence = "The file is valid: {} would be created." if dry_run else "Created {}."
    output.done(
        sentence.format("1 user" if count == 1 else f"{count} users"),
        action="user_create",
        changed=not dry_run,
        users=count,
        dry_run=dry_run,
        json_form=json_form,
    )


async def _create(database: Database, batch: _Batch, *, dry_run: bool) -> None:
    names = list(batch.lines)
    batch.require_good(await users.existing_usernames(database, names))
    if dry_run:
        return
    try:
        with _progress("Creating", len(batch.newcomers)) as bar:
            async with database_session.writing(database) as tx:
                await users.create_all(tx, database_session.operator(), batch.newcomers, bar.update)
    except errors.UsernameTaken:  # another process created one of the users meanwhile
        batch.require_good(await users.existing_usernames(database, names))
        raise


def _read(file: Path, form: str, known_roles: Mapping[str, int]) -> _Batch:
    """Read and check a whole file. Raises Fault when it cannot be read."""
    batch = _Batch("standard input" if str(file) == "-" else str(file))
    try:
        with _opened(file) as stream:
            size = _size(stream)
            with _progress("Checking", size) as bar:
                for count, line in enumerate(import_files.people(stream, form, known_roles), 1):
                    batch.add(line)
                    if size and count % _STEP == 0:
                        bar.update(stream.tell() - bar.pos)
    except OSError as error:
        raise errors.Fault(f"{batch.name} cannot be read: {error.strerror}.") from error
    return batch


@contextmanager
def _opened(file: Path) -> Iterator[BinaryIO]:
    if str(file) == "-":
        yield sys.stdin.buffer
    else:
        with file.open("rb") as stream:
            yield stream


def _size(stream: BinaryIO) -> int | None:
    """Return the size of a regular file in bytes, None for other kinds of files."""
    try:
        facts = Path(f"/dev/fd/{stream.fileno()}").stat()
    except OSError:
        return None
    return facts.st_size if stat.S_ISREG(facts.st_mode) else None


@contextmanager
def _progress(label: str, length: int | None) -> Iterator[Any]:
    """Show a progress bar if standard error is a terminal and the length is known."""
    hidden = length is None or not sys.stderr.isatty()
    bar: Any = click.progressbar(length=length or 1, label=label, file=sys.stderr, hidden=hidden)
    with bar:
        yield bar
