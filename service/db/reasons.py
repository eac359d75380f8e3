"""Why a database failed, in words for the log and for commands."""

import os
import sqlite3
from pathlib import Path

_SQLITE = {
    sqlite3.SQLITE_CORRUPT: "it is damaged; restore a backup (docs/databases.md)",
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_IOERR: "disk I/O error; the disk may be full or defective",
    sqlite3.SQLITE_PERM: "the file system denies access",
}
_PRIMARY = 0xFF


def reason(error: BaseException, path: Path | None = None) -> str:
    """Return why a statement failed, in one line without passwords. `path` is SQLite's file."""
    if isinstance(error, TimeoutError):
        return "no answer"
    if isinstance(error, sqlite3.Error):
        return sqlite_reason(error, path)
    lines = [line.strip() for line in str(error).splitlines()]
    return "; ".join(line for line in lines if not line.endswith("?")).rstrip(".")


def sqlite_reason(error: BaseException, path: Path | None) -> str:
    """Return the reason of an error of SQLite, which writes to the folder even for reads."""
    code = primary_code(error)
    if code == sqlite3.SQLITE_READONLY:
        is_file = path is not None and _is_forbidden(path)
        return "it cannot be written to" if is_file else "its folder cannot be written to"
    if code == sqlite3.SQLITE_CANTOPEN and path is not None and _is_forbidden(path):
        return "permission denied; the user that runs this must be able to read and write it"
    return _SQLITE.get(code, str(error))


def _is_forbidden(path: Path) -> bool:
    exists = os.access(path, os.F_OK, effective_ids=True)
    return exists and not os.access(path, os.R_OK | os.W_OK, effective_ids=True)


def primary_code(error: BaseException) -> int:
    """Return the primary result code of SQLite, 0 for an error of its driver."""
    return int(getattr(error, "sqlite_errorcode", 0)) & _PRIMARY
