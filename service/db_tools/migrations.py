"""The numbered migrations of the database schema, run by yoyo.

Each migration and its record are one transaction. yoyo itself uses two, and a lock row that
remains after a crash. A migration has a file for each kind of database, under the same name.
"""

import socket
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import Any

from yoyo import read_migrations
from yoyo.backends.base import DatabaseBackend
from yoyo.backends.core.postgresql import PostgresqlPsycopgBackend
from yoyo.backends.core.sqlite3 import SQLiteBackend
from yoyo.connections import DatabaseURI
from yoyo.migrations import Migration, MigrationList

from service import db
from service.config import DatabaseUrl
from service.db_tools import schema_state
from service.errors import Fault


class _OneTransactionEach(DatabaseBackend):  # type: ignore[misc]
    """What both databases share: one transaction per migration, under the writers' lock."""

    def connect(self, dburi: DatabaseURI) -> Any:
        return db.connect_blocking(dburi.args["where"])

    @contextmanager
    def lock(self, timeout: float = 0) -> Iterator[None]:  # noqa: ARG002
        with self.transaction():
            yield

    def apply_one(self, migration: Migration, force: bool = False, mark: bool = True) -> None:  # noqa: ARG002, FBT001, FBT002
        with self.transaction():
            if not self.is_applied(migration):
                migration.process_steps(self, "apply", force=force)
                self.mark_one(migration)

    def rollback_one(self, migration: Migration, force: bool = False) -> None:  # noqa: FBT001, FBT002
        with self.transaction():
            if self.is_applied(migration):
                migration.process_steps(self, "rollback", force=force)
                self.unmark_one(migration)

    def get_log_data(
        self, migration: Migration | None = None, operation: str = "apply"
    ) -> dict[str, Any]:
        """Return yoyo's log data, without its network lookups of the host and user name."""
        return {
            "id": str(uuid.uuid4()),
            "migration_id": migration.id if migration else None,
            "migration_hash": migration.hash if migration else None,
            "username": "",
            "hostname": socket.gethostname(),
            "created_at_utc": datetime.now(UTC).replace(tzinfo=None),
            "operation": operation,
        }


class _SQLite(_OneTransactionEach, SQLiteBackend):  # type: ignore[misc]
    """yoyo's backend with our connection. SQLite's own write lock is the lock."""

    def begin(self) -> None:
        self._in_transaction = True
        self.execute("BEGIN IMMEDIATE")


class _PostgreSQL(_OneTransactionEach, PostgresqlPsycopgBackend):  # type: ignore[misc]
    """yoyo's backend with our connection. The lock is the one that all writers take."""

    def begin(self) -> None:
        self._in_transaction = True
        self.execute("BEGIN")
        self.execute(f"SELECT pg_advisory_xact_lock({db.WRITERS})")


def up(where: DatabaseUrl) -> list[str]:
    """Apply pending migrations and return their names. Creates the file and folder if missing."""
    db.create(where)
    schema_state.require_own_file(where)
    with _backend(where) as backend:
        pending = backend.to_apply(_migrations(where))
        backend.apply_migrations(pending)
        return [migration.id for migration in pending]


def down(where: DatabaseUrl, steps: int = 1) -> list[str]:
    """Roll back the newest `steps` migrations and return their names. Deletes their data.

    Raises Fault if a newer version has applied more migrations.
    """
    if added := schema_state.newer(where):
        raise Fault(
            f"A newer version applied {', '.join(added)} to the database {where}. Roll that back"
            " with the newer version first. Nothing was changed."
        )
    with _backend(where) as backend:
        newest = backend.to_rollback(_migrations(where))[:steps]
        backend.rollback_migrations(newest)
        return [migration.id for migration in newest]


def _migrations(where: DatabaseUrl) -> MigrationList:
    return read_migrations(str(schema_state.folder(where)))


@contextmanager
def _backend(where: DatabaseUrl) -> Iterator[Any]:
    db.require_library(where)  # yoyo imports the driver by itself
    uri = DatabaseURI("", None, None, None, None, str(where), {"where": where})
    backend = (_PostgreSQL if where.path is None else _SQLite)(uri, schema_state.TABLE)
    with closing(backend.connection):
        try:
            yield backend
        except backend.DatabaseError as error:
            raise Fault(
                f"The migration of the database {where} failed: {db.reason(error, where.path)}."
            ) from error
