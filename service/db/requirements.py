"""The libraries of the databases: that they are there, and new enough."""

import functools
import importlib
import shlex
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from types import ModuleType

from service.config import DatabaseUrl
from service.errors import Fault

_SQLITE = (3, 35, 5)
"""The first with a sound DROP COLUMN. RETURNING needs 3.35.0, the search index 3.34.0."""
_ROOT = Path(__file__).parent.parent.parent
_OTHERWISE = (
    "Remove .venv and use a Python with a newer one (make run PYTHON=/path/to/python3), or use"
    " PostgreSQL (docs/databases.md)"
)


def check(where: DatabaseUrl) -> None:
    """Raise Fault if the library of a database is missing, too old or incomplete."""
    if where.path is None:
        postgresql("sync")
    else:
        _check_sqlite()


def postgresql(name: str) -> ModuleType:
    """Import a module that needs the PostgreSQL driver, an optional extra. Raises Fault."""
    try:
        return importlib.import_module(f"service.db.postgresql.{name}")
    except ImportError as error:
        why = str(error).splitlines()[0]
        extra = shlex.quote(f"{_ROOT}[postgresql]")
        raise Fault(
            f"DATABASE_URL is a PostgreSQL URL, but the driver cannot be loaded ({why}). Install"
            f" it with: {shlex.quote(sys.executable)} -m pip install -e {extra}"
        ) from error


def _check_sqlite() -> None:
    if sqlite3.sqlite_version_info < _SQLITE:
        needed = ".".join(map(str, _SQLITE))
        raise Fault(
            f"Latchkey needs SQLite {needed} or newer, but {sys.executable} is linked with SQLite"
            f" {'.'.join(map(str, sqlite3.sqlite_version_info))}. {_OTHERWISE}."
        )
    if not _has_search():
        raise Fault(
            f"Latchkey needs SQLite with FTS5, but {sys.executable} is linked with a SQLite without"
            f" it. {_OTHERWISE}."
        )


@functools.cache
def _has_search() -> bool:
    """Return whether SQLite was compiled with the full-text search and its trigram tokenizer."""
    with closing(sqlite3.connect(":memory:")) as connection:
        try:
            connection.execute("CREATE VIRTUAL TABLE probe USING fts5 (a, tokenize = 'trigram')")
        except sqlite3.OperationalError:
            return False
    return True
