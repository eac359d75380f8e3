"""Open a database. The URL selects the driver, which is loaded when it is needed."""

from contextlib import AbstractAsyncContextManager, AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from service.config import DatabaseUrl as Where
from service.db import interface, requirements
from service.db.interface import Row
from service.db.sqlite import backup, database, sync
from service.errors import Fault


def connect(where: Where) -> AbstractAsyncContextManager[interface.Database]:
    """Open an existing database. Raises Fault if it cannot be opened."""
    requirements.check(where)
    if where.path is None:
        driver: Any = requirements.postgresql("database")
        opened: AbstractAsyncContextManager[interface.Database] = driver.connect(where)
        return opened
    return database.connect(where.path)


def create(where: Where) -> None:
    """Create an empty SQLite file and its folder. A PostgreSQL database must already exist."""
    requirements.check(where)
    if where.path is not None:
        sync.create_file(where.path)


class _Blocking(Protocol):
    """The common interface of the two `sync` modules. `place` is a path or a URL."""

    def connect(self, place: Any, /) -> Any: ...
    def opened(self, place: Any, /) -> AbstractContextManager[Any]: ...
    def writing(self, place: Any, /) -> AbstractContextManager[Any]: ...
    def read(self, place: Any, /, sql: str, *, needs: str | None) -> list[Row]: ...


def connect_blocking(where: Where) -> Any:
    """Return a driver connection for a migration. Raises Fault."""
    driver, place = _blocking(where)
    return driver.connect(place)


def open_blocking(where: Where) -> AbstractContextManager[Any]:
    """Open a driver connection. Its errors are raised as Fault."""
    driver, place = _blocking(where)
    return driver.opened(place)


def writing_blocking(where: Where) -> AbstractContextManager[Any]:
    """Open a connection in a transaction that blocks other writers. Raises Fault."""
    driver, place = _blocking(where)
    return driver.writing(place)


def read_blocking(where: Where, sql: str, *, needs: str | None = None) -> list[Row]:
    """Read rows without an event loop. Return none if the file or the table `needs` is missing."""
    driver, place = _blocking(where)
    return driver.read(place, sql, needs=needs)


def save(where: Where, file: Path) -> int:
    """Back up a SQLite database to a file and return its size in bytes. Raises Fault."""
    if where.path is None:
        raise Fault(
            "This command is for SQLite. For PostgreSQL, run: pg_dump --format=custom"
            f" --file={file} '{where.safe_url}'"
        )
    return backup.save(where.path, file)


def _blocking(where: Where) -> tuple[_Blocking, Any]:
    """Return the module for the driver, and its path or URL. Raises Fault."""
    requirements.check(where)
    if where.path is None:
        driver: Any = requirements.postgresql("sync")
        return driver, where
    return sync, where.path
