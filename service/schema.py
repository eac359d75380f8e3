"""The schema of the database: its numbered migrations, run by yoyo.

Each migration and its mark are one transaction here (yoyo itself makes two, and a lock row that
outlives a killed process), so that whoever dies in between leaves nothing half done.
"""

import socket
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from yoyo import default_migration_table, read_migrations
from yoyo.backends.core.sqlite3 import SQLiteBackend
from yoyo.connections import DatabaseURI
from yoyo.migrations import Migration, MigrationList

from service import db
from service.errors import Fault

DIRECTORY = Path(__file__).parent.parent / "migrations"
HOW_TO_MIGRATE = "Run: python -m service migrate up"

State = list[tuple[str, str | None]]
"""Each migration's name, and when it was applied (UTC), or None if it was not."""


class _Backend(SQLiteBackend):  # type: ignore[misc]
    """yoyo's SQLite backend on an ordinary connection; SQLite's own write lock is its lock."""

    def connect(self, dburi: DatabaseURI) -> Any:
        return db.connect_blocking(Path(dburi.database))

    def begin(self) -> None:
        self._in_transaction = True
        self.execute("BEGIN IMMEDIATE")

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


def up(path: Path) -> list[str]:
    """Apply what is pending, creating file and folder if need be; return the names applied."""
    db.create_file(path)
    with _backend(path) as backend:
        pending = backend.to_apply(_migrations())
        backend.apply_migrations(pending)
        return [migration.id for migration in pending]


def down(path: Path, steps: int = 1) -> list[str]:
    """Take the newest `steps` migrations back; return their names. Their data is gone."""
    with _backend(path) as backend:
        newest = backend.to_rollback(_migrations())[:steps]
        backend.rollback_migrations(newest)
        return [migration.id for migration in newest]


def status(path: Path) -> State:
    """Return every known migration and when it was applied. A missing file has none applied."""
    applied = db.read_blocking(
        path,
        f"SELECT migration_id, applied_at_utc FROM {default_migration_table}",  # noqa: S608
        needs=default_migration_table,
    )
    when = {row["migration_id"]: str(row["applied_at_utc"])[:19] for row in applied}
    return [(migration.id, when.get(migration.id)) for migration in _migrations()]


def require_current(path: Path) -> None:
    """Raise Fault, with the command to run, if the database is missing, empty or too old."""
    state = status(path)
    pending = [name for name, applied_at in state if applied_at is None]
    if not pending:
        return
    if not path.exists():
        raise Fault(f"There is no database at {path}. {HOW_TO_MIGRATE}")
    what = "is empty" if len(pending) == len(state) else f"lacks {', '.join(pending)}"
    raise Fault(f"The database {path} {what}. {HOW_TO_MIGRATE}")


def _migrations() -> MigrationList:
    found = read_migrations(str(DIRECTORY))
    if not found:
        raise Fault(f"There are no migrations in {DIRECTORY}.")
    return found


@contextmanager
def _backend(path: Path) -> Iterator[_Backend]:
    uri = DatabaseURI("sqlite", None, None, None, None, str(path), {})
    backend = _Backend(uri, default_migration_table)
    with closing(backend.connection):
        try:
            yield backend
        except backend.DatabaseError as error:
            raise Fault(f"The database {path} could not be migrated: {error}.") from error
