"""Whoever is killed while users are created loses nobody whose creation was acknowledged.

LATCHKEY_CYCLES says how often, 3 by default. 100 is the promise.
"""

import itertools
import json
import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException

import pytest

from service.config import DatabaseUrl
from tests.support.client import ask, bearer, sign_in
from tests.support.servers import Running, Server
from tests.support.stores import Store, run_sql

CYCLES = int(os.environ.get("LATCHKEY_CYCLES", "3"))
WRITERS = 4

Creation = tuple[str, int]
"""A user name, and the status of the answer; 0 for none."""


def create_until(
    over: threading.Event, server: Server, token: str, names: Iterator[str]
) -> list[Creation]:
    """Create users, one after another, until told to stop."""
    headers = {**bearer(token), "Content-Type": "application/json"}
    done: list[Creation] = []
    while not over.is_set():
        name = next(names)
        body = json.dumps({"username": name, "roles": ["add_documents"]}).encode()
        try:
            answer = ask(server.port, "/api/v1/users", "POST", headers=headers, body=body)
        except (OSError, HTTPException):
            done.append((name, 0))
            time.sleep(0.01)
        else:
            done.append((name, answer.status))
    return done


@pytest.mark.parametrize(
    "victim", ["sqlite: the service", "postgresql: the service", "postgresql: the database"]
)
def test_every_user_whose_creation_was_acknowledged_is_there_after_a_kill(
    running: Running, request: pytest.FixtureRequest, victim: str
) -> None:
    kind, _, who = victim.partition(": ")
    store: Store = request.getfixturevalue("files" if kind == "sqlite" else "durable_databases")
    first = server = running.start(store)
    database, token = server.database, sign_in(server.port)
    names = (f"made-{number:06}" for number in itertools.count())
    creations: list[Creation] = []
    in_flight = 0
    for _ in range(CYCLES):
        over = threading.Event()
        # The first request of a process that has a query or a body loads the models.
        ask(server.port, "/api/v1/users?limit=1", headers=bearer(token))
        with ThreadPoolExecutor(WRITERS) as pool:
            work = [pool.submit(create_until, over, server, token, names) for _ in range(WRITERS)]
            time.sleep(random.uniform(0.1, 0.6))  # noqa: S311  # a moment, not a secret
            if who == "the database":
                request.getfixturevalue("durable").stop(signal.SIGQUIT)
                over.set()
            else:
                server.process.kill()
                server.process.wait(20)
                over.set()
            done = [each for writer in work for each in writer.result()]
        if who == "the database":
            request.getfixturevalue("durable").start()
        else:
            server = running.start(store, beside=first)
        assert {status for _, status in done} <= {201, 503, 0}
        in_flight += sum(status != 201 for _, status in done)
        creations += done
        kept = {name for (name,) in run_sql(database, "SELECT username FROM users")}
        assert {name for name, status in creations if status == 201} <= kept
    made = {name for name, status in creations if status == 201}
    print(  # noqa: T201  # the figures are wanted
        f"\n{victim} killed {CYCLES} times: {len(made)} users acknowledged, all are there;"
        f" {in_flight} requests were not acknowledged, and"
        f" {len({name for name, status in creations if status != 201} & kept)} of them were done"
    )
    assert made
    assert_whole(database, kept)


def assert_whole(database: DatabaseUrl, kept: set[str]) -> None:
    """Check that the database is sound, and that each user is whole: role, audit, search."""
    if database.path is not None:
        assert run_sql(database, "PRAGMA integrity_check") == [("ok",)]
        assert run_sql(database, "PRAGMA foreign_key_check") == []
    made = "u.username LIKE 'made-%'"
    whole = run_sql(
        database,
        f"SELECT u.username FROM users u JOIN user_roles r ON r.user_id = u.id"  # noqa: S608
        f" JOIN audit a ON a.target_id = u.id AND a.action = 'user_create' WHERE {made}",
    )
    assert {name for (name,) in whole} == {name for name in kept if name.startswith("made-")}
    assert len(whole) == len(set(whole))
