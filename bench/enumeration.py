"""Measure whether the time of a failed sign-in tells an existing user name from another.

Each attempt comes from a network of its own, as attackers with many addresses have. A user name is
used five times: then the limits of failed attempts begin, which are the same for all names.
"""

import argparse
import asyncio
import os
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import aiohttp

from bench import run

PER_NAME = 5
_PATH = "/auth/password"


def main() -> None:
    """Print the medians and their difference."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--number", type=int, default=300, help="attempts for each kind of name")
    options = parser.parse_args()
    names = options.number // PER_NAME
    os.environ |= {"PASSWORD_AUTH": "true"}  # of the server
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with run.latchkey(folder, pinned=False) as server:
            _add_users(folder, names)
            known, unknown = asyncio.run(_attempts(server, names))
    difference = abs(known / unknown - 1)
    print(f"{names * PER_NAME} wrong passwords for users, and for names that do not exist")
    print(f"  users         {known * 1e3:6.1f} ms in the median")
    print(f"  other names   {unknown * 1e3:6.1f} ms")
    print(f"  difference    {difference:6.1%}")


def _add_users(folder: Path, number: int) -> None:
    """Create users who all have the same password."""
    users = "username\n" + "".join(f"known-{each}\n" for each in range(number))
    (folder / "users.csv").write_text(users)
    environ = {**os.environ, "PYTHONPATH": str(run.ROOT), "ENVIRONMENT": "development"}
    environ |= {"JWT_SECRET_KEY": os.urandom(64).hex(), "BYPASS_AUTH": "true"}
    for step in (["create", "--file", "users.csv"], ["password", "known-0", "--generate"]):
        subprocess.run(
            [sys.executable, "-m", "service", "user", *step],
            cwd=folder,
            env=environ,
            check=True,
            stdout=subprocess.DEVNULL,
        )
    with closing(sqlite3.connect(folder / "data/latchkey.db")) as database, database:
        database.execute(
            "INSERT OR IGNORE INTO passwords (user_id, hash, changed_at)"
            " SELECT u.id, p.hash, p.changed_at FROM users u, passwords p"
        )


async def _attempts(server: run.Server, names: int) -> tuple[float, float]:
    """Try wrong passwords in random order. Return the medians of both kinds in seconds."""
    kinds = ("known", "other")
    order = [f"{kind}-{each}" for kind in kinds for each in range(names)] * PER_NAME
    random.shuffle(order)
    seconds: dict[str, list[float]] = {kind: [] for kind in kinds}
    async with aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as session:
        for number, name in enumerate(order):
            headers = {"X-Forwarded-For": f"10.{number // 250}.{number % 250}.1"}
            body = {"username": name, "password": "a wrong password"}
            began = time.perf_counter()
            async with session.post(_PATH, json=body, headers=headers) as answer:
                await answer.read()
            seconds[name.partition("-")[0]].append(time.perf_counter() - began)
            if answer.status != 401:
                raise RuntimeError(f"{answer.status} for {name}")
    known, other = (statistics.median(seconds[kind]) for kind in kinds)
    return known, other


if __name__ == "__main__":
    main()
