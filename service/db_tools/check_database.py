"""The integrity check of a database."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from service import db
from service.config import DatabaseUrl
from service.db.casefold import casefold
from service.db_tools import copy_database, schema_state

_PAGE = 5_000
_CHANGED_AUDIT = "entries can be changed: the triggers are missing or disabled"


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check. A note is not a fault."""

    what: str
    verdict: Literal["ok", "note", "bad"]
    found: str


def run(where: DatabaseUrl) -> list[Finding]:
    """Run all checks, over all rows. Raises Fault if the database cannot be read."""
    pending = [name for name, applied_at in schema_state.status(where) if applied_at is None]
    if pending:
        lacks = f"lacks {', '.join(pending)}. {schema_state.HOW_TO_MIGRATE}"
        return [Finding("migrations", "bad", lacks)]
    with db.open_blocking(where) as connection:
        return [
            _newer(where),
            *(_postgresql(connection) if where.path is None else _sqlite(connection)),
            *_numbers(where, connection),
            _searched(connection),
        ]


def _newer(where: DatabaseUrl) -> Finding:
    if added := schema_state.newer(where):
        return Finding("migrations", "note", f"a newer version has added {', '.join(added)}")
    return Finding("migrations", "ok", "all applied")


def _sqlite(connection: Any) -> Iterator[Finding]:
    damage = [text for (text,) in connection.execute("PRAGMA integrity_check") if text != "ok"]
    yield _judged("pages and indexes", damage)
    orphans = [str(row[0]) for row in connection.execute("PRAGMA foreign_key_check")]
    yield _judged("references", orphans)
    connection.execute("BEGIN IMMEDIATE")
    try:
        check = "INSERT INTO user_search (user_search, rank) VALUES ('integrity-check', 1)"
        connection.execute(check)
        yield _judged("search index", [])
    except Exception as error:  # noqa: BLE001  # the driver's own: only db/ knows its name
        yield _judged("search index", [db.reason(error)])
    finally:
        connection.execute("ROLLBACK")
    mode = _one(connection, "PRAGMA journal_mode")
    yield _judged("journal", [] if mode == "wal" else [f"is {mode}, must be wal"])
    triggers = _one(connection, "SELECT count(*) FROM sqlite_master WHERE type = 'trigger'"
                                " AND tbl_name = 'audit'")  # fmt: skip
    yield _judged("audit", [] if triggers == 3 else [_CHANGED_AUDIT])


def _postgresql(connection: Any) -> Iterator[Finding]:
    yield Finding("server", "ok", f"PostgreSQL {_one(connection, 'SHOW server_version')}")
    for name in ("fsync", "full_page_writes", "synchronous_commit"):
        is_off = _one(connection, f"SHOW {name}") == "off"
        why = [f"{name} is off: a power failure can lose committed data"] if is_off else []
        yield _judged(name, why)
    invalid = connection.execute(
        "SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid"
    ).fetchall()
    yield _judged("indexes", [f"{name} is not valid" for (name,) in invalid])
    for table, trigger, fault in (
        ("audit", "audit_stays_as_it_is", _CHANGED_AUDIT),
        (
            "changes",
            "changes_notify",
            "servers get no notifications: the trigger is missing or disabled",
        ),
    ):
        found = _one(
            connection,
            f"SELECT count(*) FROM pg_trigger WHERE tgrelid = '{table}'::regclass"  # noqa: S608
            f" AND tgname = '{trigger}' AND tgenabled IN ('O', 'A')",
        )
        yield _judged(table, [] if found else [fault])
    if _one(connection, "SELECT to_regclass('user_search') IS NULL"):
        yield Finding("search index", "note", "is missing: searches read all users")
    else:
        yield Finding("search index", "ok", "exists")


def _numbers(where: DatabaseUrl, connection: Any) -> Iterator[Finding]:
    """Check that new rows do not get IDs that were already used."""
    side = copy_database.Endpoint(where, connection)
    behind = []
    for table in copy_database.AUTOINCREMENT:
        key = copy_database.TABLES[table][0]
        highest = _one(connection, f"SELECT coalesce(max({key}), 0) FROM {table}")  # noqa: S608
        if side.last_number(table) < highest:
            behind.append(f"{table} would reuse the {key} {highest}")
    yield _judged("counters", behind)


def _searched(connection: Any) -> Finding:
    """Check that the search text of each user matches the names."""
    last, wrong = 0, 0
    while True:
        rows = connection.execute(
            "SELECT id, search, username, name, email FROM users"  # noqa: S608  # two numbers
            f" WHERE id > {last} ORDER BY id LIMIT {_PAGE}"
        ).fetchall()
        if not rows:
            break
        last = rows[-1][0]
        wrong += sum(search != casefold("\n".join(texts)) for _, search, *texts in rows)
    return _judged("search texts", [f"{wrong} users have a wrong text"] if wrong else [])


def _one(connection: Any, sql: str) -> Any:
    return connection.execute(sql).fetchone()[0]


def _judged(what: str, faults: list[str]) -> Finding:
    return Finding(what, "bad" if faults else "ok", "; ".join(faults[:5]) or "good")
