"""Opening a database: the driver is chosen by the address, and loaded when it is needed."""

import importlib
import sys
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from service.config import DatabaseUrl as Where
from service.db import interface
from service.db.interface import Row
from service.db.sqlite import backup, database, sync
from service.errors import Fault


def connect(where: Where) -> AbstractAsyncContextManager[interface.Database]:
    """Open an existing database. Raises Fault when it cannot be opened."""
    if where.path is None:
        opened: AbstractAsyncContextManager[interface.Database] = _module("database").connect(where)
        return opened
    return database.connect(where.path)


def create(where: Where) -> None:
    """Create an empty SQLite file, and its folder; a database of PostgreSQL is there already."""
    if where.path is not None:
        sync.create_file(where.path)


class _Blocking(Protocol):
    """What `sqliteblocking` and `pgblocking` can both do, with a place of their kind."""

    def connect(self, place: Any, /) -> Any: ...
    def opened(self, place: Any, /) -> AbstractContextManager[Any]: ...
    def writing(self, place: Any, /) -> AbstractContextManager[Any]: ...
    def read(self, place: Any, /, sql: str, *, needs: str) -> list[Row]: ...


def connect_blocking(where: Where) -> Any:
    """Return a connection of the driver, for a migration. Raises Fault."""
    driver, place = _blocking(where)
    return driver.connect(place)


def open_blocking(where: Where) -> AbstractContextManager[Any]:
    """Open a connection of the driver, whose errors are a Fault."""
    driver, place = _blocking(where)
    return driver.opened(place)


def writing_blocking(where: Where) -> AbstractContextManager[Any]:
    """Open a connection in one transaction, within which nobody else writes. Raises Fault."""
    driver, place = _blocking(where)
    return driver.writing(place)


def read_blocking(where: Where, sql: str, *, needs: str) -> list[Row]:
    """Read rows before there is a loop; none if the file or the table `needs` is not there."""
    driver, place = _blocking(where)
    return driver.read(place, sql, needs=needs)


def save(where: Where, file: Path) -> int:
    """Copy a database to a file while it is written to; return its size in bytes. Raises Fault."""
    if where.path is None:
        raise Fault(
            f"PostgreSQL has its own program for this: pg_dump --format=custom --file={file}"
            f" '{where.safe_url}'"
        )
    return backup.save(where.path, file)


def _blocking(where: Where) -> tuple[_Blocking, Any]:
    """Return what knows the driver, and the place as it wants it."""
    if where.path is None:
        return _module("sync"), where
    return sync, where.path


def _module(name: str) -> Any:
    """Load what needs the driver of PostgreSQL, which is an extra. Raises Fault."""
    try:
        return importlib.import_module(f"service.db.postgresql.{name}")
    except ImportError as error:
        raise Fault(
            f"DATABASE_URL names PostgreSQL, and its driver cannot be loaded ({error}). Install it"
            f" with: {sys.executable} -m pip install -e '.[postgresql]'"
        ) from error
