"""Measure a hundred thousand users: the import of a file, the waits of other writers, and lists.

Lists are asked for as a server asks, in this process, without HTTP. Each combination of filters,
orders and places is asked for once; the slowest again, and what counts is the median. The
processor's time is shown beside the clock's: on a busy machine it says more.
"""

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from service import config, db, users
from service.config import DatabaseUrl as Where
from service.db import Database
from service.users import Query

ROOT = Path(__file__).parent.parent
FIRST = ("ada", "alan", "anna", "chen", "élodie", "emma", "fatima", "grace", "ivan", "josé",
         "linus", "maria", "noah", "olga", "wei", "zoë")  # fmt: skip
LAST = ("brown", "dupont", "garcía", "hopper", "ivanov", "khan", "lovelace", "müller", "novak",
        "rossi", "silva", "smith", "turing", "wang", "zhang")  # fmt: skip
ROLES = {"everybody": 1, "half": 2, "tenth": 10, "rare": 10_000}
"""Roles: one in this many users has each."""

QUERIES = (None, "example.org", "exa", "müller", "turing99", "a", "z", "zzz")


def main() -> None:
    """Create the users of a file, then request lists, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--lists", type=int, default=2_000, help="how many combinations; 0 for all")
    parser.add_argument("--database", help="an empty one: the address of PostgreSQL")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        url = options.database or f"sqlite:///{name}/latchkey.db"
        where = config.load_database({"DATABASE_URL": url}, Path("no.env"))
        load(Path(name), where, options.users)
        asyncio.run(ask(where, options.lists))


def load(folder: Path, where: Where, number: int) -> None:
    """Create users from a file, while another process writes continuously."""
    environ = {**os.environ, "ENVIRONMENT": "development", "PYTHONPATH": str(ROOT),
               "JWT_SECRET_KEY": os.urandom(64).hex(), "DATABASE_URL": where.url}  # fmt: skip
    service = [sys.executable, "-m", "service"]
    subprocess.run([*service, "migrate", "up"], cwd=folder, env=environ, check=True)
    for role in ROLES:
        subprocess.run([*service, "role", "create", role], cwd=folder, env=environ, check=True,
                       stdout=subprocess.DEVNULL)  # fmt: skip
    path = folder / "users.jsonl"
    with path.open("w") as file:
        file.writelines(f"{json.dumps(person)}\n" for person in people(number))
    waits: list[float] = []
    with writer_beside(where, waits):
        began, used = time.perf_counter(), os.times()
        subprocess.run([*service, "user", "create", "--file", str(path)], cwd=folder, env=environ,
                       check=True)  # fmt: skip
        seconds, now = time.perf_counter() - began, os.times()
    busy = now.children_user + now.children_system - used.children_user - used.children_system
    print(f"{number:,} users from JSON Lines: {seconds:.1f} s ({busy:.1f} s of processor time)")
    print(f"another process that wants to write waits {max(waits):.1f} s at most")
    size = "SELECT pg_database_size(current_database())"
    if where.path is not None:
        size = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
    with contextlib.closing(db.connect_blocking(where)) as connection:
        megabytes = connection.execute(size).fetchone()[0] / 1e6
    print(f"the database has {megabytes:.0f} MB\n")


def people(number: int) -> Iterator[dict[str, object]]:
    """Yield users whose names start like their user names, as is common."""
    choose = random.Random(1).choice  # noqa: S311  # the same each time
    for place in range(number):
        first, last = choose(FIRST), choose(LAST)
        plain = f"{first}.{last}{place}".encode("ascii", "ignore").decode()
        yield {
            "username": plain,
            "name": f"{first.title()} {last.title()}",
            "email": f"{plain}@example.org",
            "disabled": place % 10 == 0,
            "roles": [role for role, share in ROLES.items() if place % share == share // 2],
        }


@contextlib.contextmanager
def writer_beside(where: Where, waits: list[float]) -> Iterator[None]:
    """Run transactions continuously, and record the wait of each."""
    over = threading.Event()
    begin = ["BEGIN", f"SELECT pg_advisory_xact_lock({db.WRITERS})"]
    patience = "SET lock_timeout = 0"
    if where.path is not None:
        begin, patience = ["BEGIN IMMEDIATE"], "PRAGMA busy_timeout = 600000"

    def write() -> None:
        with contextlib.closing(db.connect_blocking(where)) as other:
            other.execute(patience)
            while not over.wait(0.01):
                began = time.perf_counter()
                for statement in begin:
                    other.execute(statement)
                other.execute("ROLLBACK")
                waits.append(time.perf_counter() - began)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


async def ask(where: Where, most: int) -> None:
    """Request all combinations of filters, orders and positions, and print the slowest."""
    async with db.connect(where) as database:
        first = await places(database)
        combinations = [
            Query(50, q, role, disabled, sort, descending, first[sort][place])
            for q, role, disabled, sort, descending, place in itertools.product(
                QUERIES, (None, *ROLES), (None, True, False), users.SORTS, (False, True), range(3)
            )
        ]
        random.Random(2).shuffle(combinations)  # noqa: S311  # the same each time
        asked = [(await timed(database, query), query) for query in combinations[: most or None]]
        asked.sort(key=lambda each: each[0][1], reverse=True)
        again = []
        for _, query in asked[:30]:
            times = [await timed(database, query) for _ in range(5)]
            again.append(
                (*(statistics.median(column) for column in zip(*times, strict=True)), query)
            )
    print(f"{len(asked):,} lists of 50 users, milliseconds by the clock and of the processor:")
    for name, column in (("clock", 0), ("processor", 1)):
        values = sorted(times[column] for times, _ in asked)
        print(f"  {name:10} median {statistics.median(values):6.1f}", end="")
        print(f"   99 % {values[len(values) * 99 // 100]:6.1f}   most {values[-1]:6.1f}")
    print("\nthe slowest, asked five more times (medians):")
    for clock, busy, query in sorted(again, key=lambda each: each[1], reverse=True)[:10]:
        print(f"  {clock:6.1f} {busy:6.1f}  {told(query)}")


async def places(database: Database) -> dict[str, list[tuple[str | int, int] | None]]:
    """Return the start, a middle position and one near the end of each order."""
    found: dict[str, list[tuple[str | int, int] | None]] = {}
    for sort in users.SORTS:
        rows = await database.fetch_all(f"SELECT {sort} AS value, id FROM users ORDER BY 1, 2")  # noqa: S608
        found[sort] = [None, *((rows[at]["value"], rows[at]["id"]) for at in (len(rows) // 2, -60))]
    return found


async def timed(database: Database, query: Query) -> tuple[float, float]:
    """Send one request. Return milliseconds of wall-clock and processor time."""
    clock, busy = time.perf_counter(), time.process_time()
    await users.page(database, query)
    return (time.perf_counter() - clock) * 1e3, (time.process_time() - busy) * 1e3


def told(query: Query) -> str:
    """Return a query as text."""
    parts = {"q": query.q, "role": query.role, "disabled": query.disabled}
    filters = " ".join(f"{name}={value}" for name, value in parts.items() if value is not None)
    return f"{filters or 'all'} sort={'-' * query.descending}{query.sort} after={query.after}"


if __name__ == "__main__":
    main()
