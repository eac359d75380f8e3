"""PostgreSQL alone: dead connections, deadlines, transactions, and the pool."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from service import db, users
from service.config import DatabaseUrl as Where
from service.db import Database
from service.db.postgresql import connect as pgconnect
from service.db.postgresql import placeholders
from service.db.postgresql.pool import Pool
from service.errors import DatabaseUnavailable, Fault
from tests.support import people
from tests.support.postgresql import Cluster
from tests.support.stores import ON_POSTGRESQL, database_at

pytestmark = ON_POSTGRESQL


async def until(condition: Callable[[], bool], at_most: float = 10) -> float:
    """Wait until something holds; return how long that took."""
    began = time.perf_counter()
    while not condition():
        assert time.perf_counter() - began < at_most
        await asyncio.sleep(0.005)
    return time.perf_counter() - began


def name(where: Where) -> str:
    """Return the name of a database."""
    return where.shown.rpartition("/")[2]


# --- Connections: dead, hanging, refused.


def turn_out(cluster: Cluster, where: Where) -> int:
    """End every connection to a database, as a restart does; return how many there were."""
    sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
    return len(cluster.run(sql, name(where)))


async def test_dead_connections_are_replaced_and_nobody_notices(
    database: Database, where: Where, cluster: Cluster
) -> None:
    for _ in range(3):
        await asyncio.gather(*(users.find_by_username(database, "admin") for _ in range(8)))
        async with database.transaction() as tx:
            await people.rename(tx, "user", "user")
        assert turn_out(cluster, where) >= 2
        assert await users.find_by_username(database, "admin") is not None
        async with database.transaction() as tx:
            await tx.execute("UPDATE users SET version = version + 1 WHERE username = 'user'")


async def test_a_connection_that_dies_within_a_transaction_undoes_it(
    database: Database, where: Where, cluster: Cluster
) -> None:
    async def write() -> None:
        async with database.transaction() as tx:
            await tx.execute("UPDATE users SET disabled = 1")
            turn_out(cluster, where)

    with pytest.raises(DatabaseUnavailable):
        await write()
    assert await database.fetch_all("SELECT 1 FROM users WHERE disabled = 1") == []
    async with database.transaction() as tx:
        await tx.execute("UPDATE users SET disabled = 1")
    assert len(await database.fetch_all("SELECT 1 FROM users WHERE disabled = 1")) == 4


async def test_a_statement_has_a_deadline(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.db.interface.WAIT_SECONDS", 0.2)
    monkeypatch.setattr(pgconnect, "WAIT_SECONDS", 0.2)
    for _ in range(6):  # more than there are connections
        with pytest.raises(DatabaseUnavailable):
            await database.fetch_all("SELECT pg_sleep(30)")
    with pytest.raises(DatabaseUnavailable):
        async with database.transaction() as tx:
            await tx.execute("SELECT pg_sleep(30)")
    assert await users.find_by_username(database, "admin") is not None


async def test_what_a_transaction_reads_was_there_when_it_got_the_lock(
    where: Where, cluster: Cluster
) -> None:
    level = "repeatable read"
    cluster.run(f"ALTER DATABASE {name(where)} SET default_transaction_isolation = '{level}'")
    async with db.connect(where) as database, database.transaction() as tx:
        assert await tx.fetch_one("SHOW transaction_isolation") == {
            "transaction_isolation": "read committed"
        }
    with db.writing_blocking(where) as connection:
        assert connection.execute("SHOW transaction_isolation").fetchone() == ("read committed",)


async def test_who_cannot_wait_for_a_connection_leaves_it_to_the_next(
    database: Database, where: Where, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection takes longer than the feed waits for an answer."""
    connect, made = pgconnect.connect, 0

    async def slowly(*arguments: Any, **options: Any) -> pgconnect.Connection:
        nonlocal made
        made += 1
        await asyncio.sleep(0.5)
        return await connect(*arguments, **options)

    monkeypatch.setattr(pgconnect, "connect", slowly)
    monkeypatch.setattr("service.revocation.feed._ATTEMPT_SECONDS", 0.2)
    feed = people.memory(database)
    turn_out(cluster, where)
    failures = 0
    while feed.seq == 0 and failures < 20:
        try:
            await feed.catch_up()
            break
        except DatabaseUnavailable:
            failures += 1
    assert 1 <= failures < 20
    assert made == 1


async def test_a_connection_that_was_left_without_a_word_is_lent_to_nobody(where: Where) -> None:
    pool = Pool(lambda: pgconnect.connect(where), 1)
    async with pool.lend() as first:
        pgconnect.hang_up(first)
        pgconnect.hang_up(first)
    async with pool.lend() as second:
        assert second is not first
        await pgconnect.run(second, b"SELECT 1")
    await pool.close()


async def test_what_comes_back_to_a_closed_pool_is_closed(where: Where) -> None:
    pool = Pool(lambda: pgconnect.connect(where), 2)
    async with pool.lend() as early:
        await pool.close()
        async with pool.lend() as late:
            await pgconnect.run(late, b"SELECT 1")
        await pgconnect.run(early, b"SELECT 1")
    assert early.closed
    assert late.closed


@pytest.mark.parametrize("rounds", range(3))
async def test_a_connection_that_nobody_waits_for_any_more_is_closed(
    where: Where, rounds: int
) -> None:
    """It has just been made, or is about to be."""
    made: list[pgconnect.Connection] = []

    async def connect() -> pgconnect.Connection:
        made.append(await pgconnect.connect(where))
        asking.cancel()
        try:
            for _ in range(rounds):
                await asyncio.sleep(0)
        except asyncio.CancelledError:
            await made[0].close()
            raise
        return made[0]

    async def ask() -> None:
        async with pool.lend():
            pass

    pool = Pool(connect, 1)
    asking = asyncio.create_task(ask())
    with pytest.raises(asyncio.CancelledError):
        await asking
    await pool.close()
    await asyncio.sleep(0)
    assert made[0].closed


async def test_who_stops_waiting_leaves_nothing_behind(database: Database) -> None:
    async def write() -> None:
        async with database.transaction() as tx:
            await tx.execute("UPDATE users SET disabled = 1")
            await tx.execute("SELECT pg_sleep(30)")

    for _ in range(6):
        for work in (database.fetch_all("SELECT pg_sleep(30)"), write()):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(work, 0.05)
    assert await database.fetch_all("SELECT 1 FROM users WHERE disabled = 1") == []
    async with database.transaction() as tx:
        await tx.execute("UPDATE users SET disabled = 0")


@pytest.mark.parametrize("call", range(1, 6))
async def test_a_transaction_cancelled_at_any_statement_is_whole_or_nothing(
    database: Database, monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    run, calls = pgconnect.run, 0

    async def run_and_cancel(*arguments: object) -> object:
        nonlocal calls
        calls += 1
        if calls >= call:
            task.cancel()
        return await run(*arguments)  # type: ignore[arg-type]

    async def write() -> None:
        async with database.transaction() as tx:
            await tx.execute("INSERT INTO roles (role) VALUES ('new-a')")
            await tx.execute("INSERT INTO roles (role) VALUES ('new-b')")

    monkeypatch.setattr(pgconnect, "run", run_and_cancel)
    task = asyncio.create_task(write())
    with pytest.raises(asyncio.CancelledError):
        await task
    monkeypatch.undo()
    rows = await database.fetch_all("SELECT role FROM roles WHERE role LIKE 'new-%'")
    assert len(rows) == (2 if call == 5 else 0)  # the fifth is COMMIT, and goes to its end
    async with database.transaction() as tx:
        await tx.execute("INSERT INTO roles (role) VALUES ('new-c')")


async def test_a_process_that_stops_within_a_transaction_keeps_nobody_waiting_for_ever(
    where: Where, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(pgconnect._SETTINGS, "idle_in_transaction_session_timeout", "300ms")
    async with db.connect(where) as stopped, db.connect(where) as other:

        async def write() -> None:
            async with stopped.transaction() as tx:
                await tx.execute("UPDATE users SET disabled = 1")
                async with other.transaction() as theirs:
                    await theirs.execute("UPDATE users SET version = 7 WHERE id = 1")

        with pytest.raises(DatabaseUnavailable):
            await write()
        assert await other.fetch_all("SELECT version FROM users WHERE id = 1") == [{"version": 7}]
        assert await other.fetch_all("SELECT 1 FROM users WHERE disabled = 1") == []


async def test_a_statement_prepared_before_a_migration_is_prepared_anew(
    database: Database, where: Where, cluster: Cluster
) -> None:
    for _ in range(10):
        await database.fetch_all("SELECT * FROM roles")
    cluster.run("ALTER TABLE roles ADD COLUMN more TEXT", database=name(where))
    rows = await database.fetch_all("SELECT * FROM roles")
    assert {row["more"] for row in rows} == {None}


async def test_connections_are_few_and_closed_at_the_end(where: Where, cluster: Cluster) -> None:
    sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s"
    async with db.connect(where) as database:
        following = asyncio.create_task(database.changed(0.1))
        await asyncio.gather(*(users.find_by_username(database, "admin") for _ in range(50)))
        async with database.transaction():
            ((count,),) = cluster.run(sql, name(where))
        await following
    assert 2 <= count <= 6
    await until(lambda: cluster.run(sql, name(where)) == [(0,)])


@pytest.fixture
async def other_encoding(cluster: Cluster) -> AsyncIterator[Where]:
    """Yield a database whose texts are not those of Unicode."""
    cluster.run(
        "CREATE DATABASE latin ENCODING latin1 LOCALE 'C' LOCALE_PROVIDER libc TEMPLATE template0"
    )
    yield database_at(cluster.url("latin"))
    cluster.run("DROP DATABASE latin WITH (FORCE)")


async def test_a_database_that_cannot_be_used_is_a_fault_that_says_why(
    where: Where, cluster: Cluster, other_encoding: Where
) -> None:
    nobody = database_at("postgresql://nobody:s3cret@127.0.0.1:1/users")
    missing = database_at(cluster.url("nothing_here"))
    for place, reason in (
        (nobody, "onnection refused"),
        (missing, 'database "nothing_here" does not exist'),
        (other_encoding, "UTF8"),
    ):
        with pytest.raises(Fault) as fault:
            async with db.connect(place):
                pass
        assert reason in str(fault.value)
        assert str(place) in str(fault.value)
        assert "s3cret" not in str(fault.value)
        assert "\n" not in str(fault.value)
    assert where != missing


# --- Placeholders.


@pytest.mark.parametrize(
    ("sql", "numbered"),
    [
        ("SELECT 1", "SELECT 1"),
        ("SELECT ?, ?", "SELECT $1, $2"),
        ("SELECT '?', ?", "SELECT '?', $1"),
        ("SELECT 'it''s ?', ?", "SELECT 'it''s ?', $1"),
        ('SELECT "a?""?", ?', 'SELECT "a?""?", $1'),
        ("SELECT ? -- why?\n, ?", "SELECT $1 -- why?\n, $2"),
        ("SELECT /* ? */ ?", "SELECT /* ? */ $1"),
        ("SELECT '100%' LIKE ? ESCAPE '!'", "SELECT '100%' LIKE $1 ESCAPE '!'"),
    ],
)
def test_placeholders_are_numbered_and_what_is_quoted_stays(
    sql: str,
    numbered: str,
    store: object,  # noqa: ARG001  # these run once, as all here
) -> None:
    assert placeholders.numbered(sql) == numbered.encode()
