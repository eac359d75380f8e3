"""Which migrations a database has, and which it lacks. Fast: the server asks at each start."""

from pathlib import Path

from service import db
from service.config import DatabaseUrl
from service.errors import Fault

DIRECTORY = Path(__file__).parent.parent.parent / "migrations"
HOW_TO_MIGRATE = "Run: python -m service migrate up"
TABLE = "_yoyo_migration"
"""The table in which yoyo records applied migrations."""

_OURS_BEFORE_THE_FIRST = ("_yoyo", "yoyo", "sqlite_")
_NAMED = 3

State = list[tuple[str, str | None]]
"""The name of each migration and when it was applied (UTC), None if it was not."""


def status(where: DatabaseUrl) -> State:
    """Return all migrations and when each was applied. For a missing file, none is."""
    unapplied: dict[str, str | None] = dict.fromkeys(_known(where))
    return sorted((unapplied | _applied(where)).items())


def newer(where: DatabaseUrl) -> list[str]:
    """Return the applied migrations that are unknown to this version."""
    return sorted(_applied(where).keys() - _known(where))


def require_current(where: DatabaseUrl) -> list[str]:
    """Raise Fault with the command to run if the database is missing, empty or too old.

    Returns the migrations of a newer version.
    """
    applied, known = _applied(where), _known(where)
    pending = [name for name in known if name not in applied]
    if not pending:
        return sorted(applied.keys() - known)
    if where.path is not None and not where.path.exists():
        raise Fault(f"The database {where} does not exist. {HOW_TO_MIGRATE}")
    require_own_file(where)
    what = (
        "is empty" if len(pending) == len(known) else f"lacks the migrations {', '.join(pending)}"
    )
    raise Fault(f"The database {where} {what}. {HOW_TO_MIGRATE}")


def require_own_file(where: DatabaseUrl) -> None:
    """Raise Fault if a SQLite file has tables of another program, and none of Latchkey."""
    if where.path is None:  # a database may have the tables of several programs
        return
    rows = db.read_blocking(where, "SELECT name FROM sqlite_master WHERE type = 'table'")
    names = sorted(row["name"] for row in rows)
    others = [name for name in names if not name.startswith(_OURS_BEFORE_THE_FIRST)]
    if TABLE not in names and others:
        some = ", ".join(map(ascii, others[:_NAMED])) + (", …" if len(others) > _NAMED else "")
        raise Fault(
            f"The database {where} belongs to another program, with the tables {some}. Set"
            " DATABASE_URL to a file of its own."
        )


def folder(where: DatabaseUrl) -> Path:
    """Return the folder with the migrations of a kind of database."""
    return DIRECTORY / ("postgresql" if where.path is None else "sqlite")


def _known(where: DatabaseUrl) -> list[str]:
    """Return the names of the migrations of this version. Raises Fault if there are none."""
    files = [path for path in folder(where).glob("*.*") if path.suffix in {".py", ".sql"}]
    names = sorted(path.stem for path in files if not path.stem.endswith(".rollback"))
    if not names:
        raise Fault(f"No migrations found in {folder(where)}. Install Latchkey again.")
    return names


def _applied(where: DatabaseUrl) -> dict[str, str]:
    """Return the applied migrations and when each was applied (UTC)."""
    rows = db.read_blocking(
        where,
        f"SELECT migration_id, applied_at_utc FROM {TABLE}",  # noqa: S608
        needs=TABLE,
    )
    return {row["migration_id"]: str(row["applied_at_utc"])[:19] for row in rows}
