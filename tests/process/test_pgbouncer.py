"""PostgreSQL behind PgBouncer: session mode works, and the other modes are named."""

import asyncio
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import psycopg
import pytest

from service import db
from service.config import DatabaseUrl as Where
from service.db.postgresql import connect, server_check
from service.revocation import events
from tests.support.commands import command, message
from tests.support.environment import ROOT, free_port
from tests.support.postgresql import SUPERUSER, Cluster
from tests.support.stores import ON_POSTGRESQL, database_at

pytestmark = ON_POSTGRESQL


Pooled = Callable[..., AbstractContextManager[Where]]


@pytest.fixture
def pooled(where: Where, cluster: Cluster, tmp_path: Path) -> Pooled:
    """Return what runs a pooler before a test's database, and yields its address."""
    program = shutil.which("pgbouncer")
    if program is None:
        pytest.skip("PgBouncer is not installed (on Debian and Ubuntu: apt install pgbouncer)")

    @contextmanager
    def run(mode: str, *more: str) -> Iterator[Where]:
        port, name = free_port(), where.shown.rpartition("/")[2]
        settings = cluster.folder / f"pgbouncer-{port}.ini"
        settings.write_text(
            f"[databases]\n{name} = host={cluster.folder} user={SUPERUSER}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nauth_type = any\n"
            + "\n".join((f"pool_mode = {mode}", "unix_socket_dir =", *more, ""))
        )
        settings.chmod(0o644)
        with (tmp_path / "log").open("wb") as log:
            process = cluster.begin([program, settings], log)
        made = database_at(f"postgresql://{SUPERUSER}@127.0.0.1:{port}/{name}")
        try:
            deadline = time.monotonic() + 10
            while not _answers(made):
                assert process.poll() is None, (tmp_path / "log").read_text()
                assert time.monotonic() < deadline, (tmp_path / "log").read_text()
                time.sleep(0.05)
            yield made
        finally:
            process.kill()
            process.wait(10)

    return run


@pytest.fixture
def behind(pooled: Pooled) -> Iterator[Where]:
    """Yield the address of a test's database behind a pooler in session mode."""
    with pooled("session") as made:
        yield made


def _answers(where: Where) -> bool:
    try:
        psycopg.connect(where.url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


async def test_deadlines_are_in_force_and_changes_are_heard_of(behind: Where) -> None:
    async with db.connect(behind) as here, db.connect(behind) as there:
        for setting, value in connect._SETTINGS.items():
            for reader in (here, here.feed):
                shown = await reader.fetch_one(f"SHOW {setting}")
                assert shown is not None
                assert shown[setting] in (value, "4500ms")
        assert await here.fetch_one("SHOW transaction_read_only") == {"transaction_read_only": "on"}
        before = await events.version(there)
        await there.changed(5)  # listens from now on
        heard = asyncio.create_task(there.changed(30))
        async with here.transaction() as tx:
            await events.session_ended(tx, "session-1", 2**40)
        async with asyncio.timeout(20):
            await heard
        assert (await events.version(there)).is_later_than(before)


VERBS = (("migrate", "up"), ("user", "list"), ("db", "check"), ("serve",))
ROUND_ROBIN = "server_round_robin = 1"


@pytest.mark.parametrize("more", [(), (ROUND_ROBIN,)], ids=["last used first", "in turn"])
@pytest.mark.parametrize("mode", ["transaction", "statement"])
def test_a_mode_that_shares_connections_is_named_before_the_database_is_used(
    pooled: Pooled, tmp_path: Path, mode: str, more: tuple[str, ...]
) -> None:
    (tmp_path / ".env").write_text((ROOT / ".env.test").read_text())
    verbs = VERBS if not more else VERBS[1:2]
    with pooled(mode, *more) as behind:
        if more:  # several connections to the server, which the pooler uses in turn
            _open_connections(behind)
        for verb in verbs:
            done = command(tmp_path, *verb, DATABASE_URL=behind.url, PORT=str(free_port()))
            assert done.returncode == 1
            assert message(done) == (
                f"The database {behind} is behind a pooler in transaction or statement mode, in"
                " which LISTEN and session settings do not work. Set pool_mode = session for it"
                " (PgBouncer), or connect to PostgreSQL directly.\n"
            )
        with closing(psycopg.connect(behind.url, autocommit=True)) as other:
            shown = other.execute("SHOW default_transaction_read_only").fetchone()
            assert shown == ("off",)  # no setting is left to the next client


def _open_connections(behind: Where) -> None:
    """Let the pooler open three connections to the server."""
    threads = [threading.Thread(target=_sleep, args=(behind,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)


def _sleep(behind: Where) -> None:
    with closing(psycopg.connect(behind.url, autocommit=True)) as connection:
        connection.execute("SELECT pg_sleep(0.5)")


def test_commands_work_behind_a_pooler_in_session_mode(behind: Where, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text((ROOT / ".env.test").read_text())
    for verb in VERBS[:2]:
        done = command(tmp_path, *verb, DATABASE_URL=behind.url)
        assert (done.returncode, done.stderr) == (0, "")


def test_a_pooler_with_one_connection_to_the_server_is_not_waited_for(
    pooled: Pooled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_check, "_WAIT_SECONDS", 0.2)
    (tmp_path / ".env").write_text((ROOT / ".env.test").read_text())
    with pooled("session", "default_pool_size = 1") as behind:
        done = command(tmp_path, "migrate", "status", DATABASE_URL=behind.url)
        assert (done.returncode, done.stderr) == (0, "")
