"""Measure the cost of revocations: time per check, memory per row, and start time."""

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path

from bench import run
from service import config, db, keys, users
from service.config import DatabaseUrl as Where
from service.db import Database
from service.db_tools import migrations
from service.revocation.feed import Revocation
from service.tokens import lifetimes
from service.tokens.issuer import TokenIssuer

ME = run.Case("/auth/me", "/auth/me", 200, 0.50)

ROWS = 100_000
_FILL = (
    "INSERT INTO changes (kind, sid, until) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL"
    " SELECT i + 1 FROM n WHERE i < ?) SELECT 'session', lower(hex(randomblob(11))), ? FROM n"
)
_CHECKS = 20_000
_ROUNDS = 15


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        asyncio.run(measure(file_in(folder)))
        print(f"{'start of a server with them, to its first answer':52} {start(folder):8.2f} s")
    print(f"{'/auth/me, processor time, with them / without':52} {served():8.3f}")


async def measure(where: Where) -> None:
    """Measure in this process: checks with and without rows, and the memory that rows take."""
    migrations.up(where)
    async with db.connect(where) as database:
        async with database.transaction() as tx:
            await lifetimes.note(tx, 6 * 3600, int(time.time()))
        none = _memory(database)
        await none.catch_up()
        await fill(database)
        tracemalloc.start()
        many = _memory(database)
        began = time.perf_counter()
        await many.catch_up()
        seconds = time.perf_counter() - began
        size = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        ratio = await compare(none, many)
    print(f"{f'{ROWS:,} live revocations, loaded (traced) in':52} {seconds:8.2f} s")
    print(f"{'memory for each':52} {size / len(many):8.0f} bytes")
    print(f"{'memory look-ups alone, time with them / without':52} {ratio:8.3f}")


def _memory(database: Database) -> Revocation:
    """Return an empty revocation memory."""
    return Revocation(
        database, lambda user_id: users.find_by_id(database, user_id), max_staleness=60
    )


async def fill(database: Database) -> None:
    """Append the rows."""
    async with database.transaction() as tx:
        await tx.execute(_FILL, (ROWS, int(time.time()) + 3600))


async def compare(none: Revocation, many: Revocation) -> float:
    """Return the ratio of check times with many rows and with none: the median of many turns."""
    settings = config.load(
        {"ENVIRONMENT": "test", "JWT_SECRET_KEY": os.urandom(64).hex()}, Path(os.devnull)
    )
    tokens = TokenIssuer(settings, keys.load(settings))
    tokens.horizon = 2**62
    user = {"id": 1, "username": "admin", "version": 1, "roles": []}
    issued = [tokens.issue(user, amr=("cli",))[0] for _ in range(1000)]

    async def turn(feed: Revocation) -> float:
        await feed.catch_up()
        began = time.perf_counter()
        for number in range(_CHECKS):
            await feed.check(tokens.verify(issued[number % 1000]))
        return time.perf_counter() - began

    await turn(none)
    return statistics.median([await turn(many) / await turn(none) for _ in range(_ROUNDS)])


def served() -> float:
    """Return the ratio of processor times of /auth/me with many rows and with none: the median."""
    with (
        tempfile.TemporaryDirectory() as first,
        tempfile.TemporaryDirectory() as second,
        run.latchkey(Path(first)) as none,
        run.latchkey(Path(second)) as many,
    ):
        asyncio.run(fill_file(file_in(Path(second))))
        time.sleep(3)
        busy: dict[run.Server, list[float]] = {none: [], many: []}
        for _ in range(_ROUNDS):
            for server, found in busy.items():
                cookie = run.sign_in(server.port)
                found.append(server.ask(ME, cookie, 1).busy)
        pairs = zip(busy[many], busy[none], strict=True)
        return statistics.median(with_rows / without for with_rows, without in pairs)


async def fill_file(where: Where) -> None:
    """Append the rows to the database of a running server."""
    async with db.connect(where) as database:
        await fill(database)


def file_in(folder: Path) -> Where:
    """Return the database of a server in a folder."""
    return config.load_database({"DATABASE_URL": f"sqlite:///{folder}/data/latchkey.db"})


def start(folder: Path) -> float:
    """Return the time from the start of a server to its first answer."""
    port = run.free_port()
    environ = {
        **os.environ,
        "ENVIRONMENT": "test",
        "JWT_SECRET_KEY": os.urandom(64).hex(),
        "PORT": str(port),
        "PYTHONPATH": str(run.ROOT),
    }
    began = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-m", "service", "serve"],
        cwd=folder,
        env=environ,
        stderr=subprocess.DEVNULL,
    ) as server:
        run.wait(server, port)
        seconds = time.perf_counter() - began
        server.terminate()
    return seconds


if __name__ == "__main__":
    main()
