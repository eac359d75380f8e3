"""Back up a SQLite file as a consistent snapshot while it is in use."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from service.db.reasons import reason
from service.db.sqlite.sync import require_file, uri
from service.errors import Fault
from service.system import file_owner


def save(source: Path, target: Path) -> int:
    """Write a verified copy, readable only by its owner, and return its size in bytes.

    Readers and writers are not blocked. Raises Fault; then there is no copy.
    """
    require_file(source)
    if target.is_dir():
        raise Fault(f"{target} is a folder. Use the path of a new file.")
    partial = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with closing(_open(source)) as reading, file_owner.as_owner(target):
            return _save(reading, source, partial, target)
    except FileExistsError as error:
        raise Fault(
            f"{error.filename2 or error.filename} already exists. Use the path of a new file."
        ) from error
    except OSError as error:
        raise Fault(f"{target} cannot be written: {error.strerror}.") from error
    except sqlite3.Error as error:
        raise Fault(
            f"The database {source} could not be copied to {target}: {reason(error)}."
        ) from error


def _open(source: Path) -> sqlite3.Connection:
    """Open the source with the rights of its owner, also its log, which a read needs."""
    try:
        with file_owner.as_owner(source):
            connection = sqlite3.connect(uri(source, "rw"), uri=True)
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            return connection
    except (sqlite3.Error, OSError) as error:
        raise Fault(f"The database {source} cannot be read: {reason(error, source)}.") from error


def _save(reading: sqlite3.Connection, source: Path, partial: Path, target: Path) -> int:
    os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        _copy(reading, source, partial)
        os.link(partial, target)  # fails if the target exists
    finally:
        partial.unlink()
    _flush(target.parent)
    return target.stat().st_size


def _copy(reading: sqlite3.Connection, source: Path, partial: Path) -> None:
    with closing(sqlite3.connect(partial)) as writing:
        reading.backup(writing)  # in one step, for a consistent snapshot
        (verdict,) = writing.execute("PRAGMA integrity_check").fetchone()
        if verdict != "ok":
            raise Fault(f"The database {source} is damaged, so it was not copied: {verdict}.")
    _flush(partial)


def _flush(path: Path) -> None:
    """Flush a file or a folder to disk."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
