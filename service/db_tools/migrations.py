"""The schema of the database: its numbered migrations, run by yoyo.

Each migration and its mark are one transaction here (yoyo itself makes two, and a lock row that
outlives a killed process), so that whoever dies in between leaves nothing half done. A migration
has a file for each database, under the same name.
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
    """What is the same for every database: one transaction, which holds the lock of writers."""

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
        """Say what yoyo says, without asking the network for our name, or for a user's."""
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
    """yoyo's backend on our connection; SQLite's own write lock is the lock."""

    def begin(self) -> None:
        self._in_transaction = True
        self.execute("BEGIN IMMEDIATE")


class _PostgreSQL(_OneTransactionEach, PostgresqlPsycopgBackend):  # type: ignore[misc]
    """yoyo's backend on our connection; the lock is that of everybody who writes."""

    def begin(self) -> None:
        self._in_transaction = True
        self.execute("BEGIN")
        self.execute(f"SELECT pg_advisory_xact_lock({db.WRITERS})")


def up(where: DatabaseUrl) -> list[str]:
    """Apply what is pending, creating file and folder if need be; return the names applied."""
    db.create(where)
    with _backend(where) as backend:
        pending = backend.to_apply(_migrations(where))
        backend.apply_migrations(pending)
        return [migration.id for migration in pending]


def down(where: DatabaseUrl, steps: int = 1) -> list[str]:
    """Take the newest `steps` migrations back; return their names. Their data is gone.

    Raises Fault if a newer version has added more, which rests on what would go.
    """
    if added := schema_state.newer(where):
        raise Fault(
            f"The database {where} has {', '.join(added)}, which this version does not know. Take"
            " that back with the version that made it; nothing was changed."
        )
    with _backend(where) as backend:
        newest = backend.to_rollback(_migrations(where))[:steps]
        backend.rollback_migrations(newest)
        return [migration.id for migration in newest]


def _migrations(where: DatabaseUrl) -> MigrationList:
    return read_migrations(str(schema_state.folder(where)))


@contextmanager
def _backend(where: DatabaseUrl) -> Iterator[Any]:
    uri = DatabaseURI("", None, None, None, None, str(where), {"where": where})
    backend = (_PostgreSQL if where.path is None else _SQLite)(uri, schema_state.TABLE)
    with closing(backend.connection):
        try:
            yield backend
        except backend.DatabaseError as error:
            raise Fault(
                f"The database {where} could not be migrated: {db.reason(error)}."
            ) from error
