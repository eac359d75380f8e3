"""Opening a database: the driver is chosen by the address, and loaded when it is needed."""

import importlib
import sys
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from pathlib import Path
from typing import Any

from service.config import Database as Where
from service.db import contract, saving, sqlite, sqliteblocking
from service.db.contract import Row
from service.errors import Fault


def connect(where: Where) -> AbstractAsyncContextManager[contract.Database]:
    """Open an existing database. Raises Fault when it cannot be opened."""
    if where.path is None:
        opened: AbstractAsyncContextManager[contract.Database] = _module("postgresql").connect(
            where
        )
        return opened
    return sqlite.connect(where.path)


def create(where: Where) -> None:
    """Create an empty SQLite file, and its folder; a database of PostgreSQL is there already."""
    if where.path is not None:
        sqliteblocking.create_file(where.path)


def connect_blocking(where: Where) -> Any:
    """Return a connection of the driver, for a migration. Raises Fault."""
    if where.path is None:
        return _module("pgblocking").connect(where)
    return sqliteblocking.connect_blocking(where.path)


def open_blocking(where: Where) -> AbstractContextManager[Any]:
    """Open a connection of the driver, whose errors are a Fault."""
    if where.path is None:
        opened: AbstractContextManager[Any] = _module("pgblocking").open_blocking(where)
        return opened
    return sqliteblocking.open_blocking(where.path)


def writing_blocking(where: Where) -> AbstractContextManager[Any]:
    """Open a connection in one transaction, within which nobody else writes. Raises Fault."""
    if where.path is None:
        opened: AbstractContextManager[Any] = _module("pgblocking").writing_blocking(where)
        return opened
    return sqliteblocking.writing_blocking(where.path)


def read_blocking(where: Where, sql: str, *, needs: str) -> list[Row]:
    """Read rows before there is a loop; none if the file or the table `needs` is not there."""
    if where.path is None:
        rows: list[Row] = _module("pgblocking").read(where, sql, needs=needs)
        return rows
    return sqliteblocking.read_blocking(where.path, sql, needs=needs)


def save(where: Where, file: Path) -> int:
    """Copy a database to a file while it is written to; return its size in bytes. Raises Fault."""
    if where.path is None:
        raise Fault(
            f"PostgreSQL has its own program for this: pg_dump --format=custom --file={file}"
            f" '{where.safe_url}'"
        )
    return saving.save(where.path, file)


def _module(name: str) -> Any:
    """Load what needs the driver of PostgreSQL, which is an extra. Raises Fault."""
    try:
        return importlib.import_module(f"service.db.{name}")
    except ImportError as error:
        raise Fault(
            f"DATABASE_URL names PostgreSQL, and its driver cannot be loaded ({error}). Install it"
            f" with: {sys.executable} -m pip install '.[postgresql]'"
        ) from error
