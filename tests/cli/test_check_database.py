"""The check of a database: what is sound, and what is not, by name."""

import json
import sqlite3
from contextlib import closing

import pytest

from service.config import DatabaseUrl
from service.db_tools import migrations
from tests.cli.test_copy_database import fill
from tests.support.commands import Run
from tests.support.stores import ON_SQLITE, run_sql


def verdicts(run: Run) -> dict[str, str]:
    """Return what `db check` says is not good."""
    code, printed, said = run("db", "check", "--json")
    found = json.loads(printed)
    bad = {row["what"]: row["found"] for row in found if row["verdict"] == "bad"}
    assert (code, bool(said)) == (int(bool(bad)), bool(bad))
    return bad


async def test_a_sound_database_is_said_to_be(run: Run, where: DatabaseUrl) -> None:
    await fill(where)
    if where.path is None:
        settings = {"fsync", "full_page_writes"}  # off, in the tests
        assert verdicts(run).keys() == settings
    else:
        assert verdicts(run) == {}
    assert "all applied" in run("db", "check")[1]


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        (["UPDATE users SET search = 'x' WHERE id = 1"], "search texts"),
        (["DROP TRIGGER {audit}"], "audit"),
        (["{behind}"], "counters"),
    ],
    ids=["search", "audit", "numbers"],
)
def test_what_is_not_sound_is_named(
    run: Run, where: DatabaseUrl, damage: list[str], what: str
) -> None:
    words = {
        "audit": "audit_stays_as_it_is",
        "behind": "UPDATE sqlite_sequence SET seq = 1 WHERE name = 'users'",
    }
    if where.path is None:
        words = {
            "audit": "audit_stays_as_it_is ON audit",
            "behind": "SELECT setval(pg_get_serial_sequence('users', 'id'), 1)",
        }
    for statement in damage:
        run_sql(where, statement.format(**words))
    assert what in verdicts(run)


@ON_SQLITE
def test_a_damaged_file_is_found(run: Run, where: DatabaseUrl) -> None:
    assert where.path is not None
    run_sql(where, "PRAGMA wal_checkpoint(TRUNCATE)")
    with closing(sqlite3.connect(where.path)) as opened:
        opened.execute("PRAGMA writable_schema = ON")
        opened.execute("UPDATE sqlite_master SET rootpage = 3 WHERE name = 'users_by_name'")
        opened.commit()
    code, _, said = run("db", "check")
    assert code == 1
    assert said
    assert "Traceback" not in said


@ON_SQLITE
def test_an_index_for_searching_that_has_fallen_behind_is_found(
    run: Run, where: DatabaseUrl
) -> None:
    run_sql(where, "DROP TRIGGER user_search_update")
    run_sql(where, "UPDATE users SET search = 'another' || search WHERE id = 1")
    assert {"search index", "search texts"} <= verdicts(run).keys()


def test_a_database_that_lacks_migrations_is_not_sound(run: Run, where: DatabaseUrl) -> None:
    migrations.down(where)
    assert "Run: python -m service migrate up" in verdicts(run)["migrations"]
