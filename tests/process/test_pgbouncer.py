"""PostgreSQL behind PgBouncer, in session mode: what docs/databases.md says of it."""

import asyncio
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from service import db
from service.config import DatabaseUrl as Where
from service.db.postgresql import connect
from service.revocation import events
from tests.support.environment import free_port
from tests.support.postgresql import SUPERUSER, Cluster
from tests.support.stores import ON_POSTGRESQL, database_at

pytestmark = ON_POSTGRESQL


@pytest.fixture
def behind(where: Where, cluster: Cluster, tmp_path: Path) -> Iterator[Where]:
    """Yield the address of a test's database behind a pooler."""
    program = shutil.which("pgbouncer")
    if program is None:
        pytest.skip("PgBouncer is not installed (on Debian and Ubuntu: apt install pgbouncer)")
    port, name = free_port(), where.shown.rpartition("/")[2]
    settings = cluster.folder / "pgbouncer.ini"
    settings.write_text(
        f"[databases]\n{name} = host={cluster.folder} user={SUPERUSER}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nauth_type = any\n"
        "pool_mode = session\nunix_socket_dir =\n"
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
