"""PostgreSQL fails in every way that it has; tokens are verified on, and all comes back.

LATCHKEY_ROUNDS says how often sessions are ended, 20 by default.
"""

import contextlib
import signal
import socket
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

import psycopg
import pytest

from service import db
from tests.support.client import ask, cookie, sign_in
from tests.support.databases import databases_on
from tests.support.environment import free_port
from tests.support.faults import (
    ROUNDS,
    Load,
    assert_calm,
    assert_unavailable,
    refused_by_all,
    session_of,
    sign_in_again,
    sign_out,
    status,
    told,
    until,
)
from tests.support.postgresql import Cluster
from tests.support.servers import Running, Server
from tests.support.stores import Databases, database_at, run_sql

CONNECTIONS = 40


@pytest.fixture
def replicas(running: Running, durable_databases: Databases) -> Iterator[list[Server]]:
    """Yield three servers on one database."""
    first = running.start(durable_databases)
    servers = [first, *(running.start(durable_databases, beside=first) for _ in range(2))]
    yield servers
    assert_calm(servers)


def turns(replicas: list[Server]) -> Iterator[tuple[Server, list[Server]]]:
    """Yield each replica in turn, and the others with it, ROUNDS times."""
    for number in range(ROUNDS):
        here, *there = replicas[number % 3 :] + replicas[: number % 3]
        yield here, there


def test_signed_out_on_one_replica_is_refused_by_the_others(replicas: list[Server]) -> None:
    times = []
    for here, there in turns(replicas):
        token = sign_in(here.port)
        assert [status(server, token) for server in replicas] == [200] * 3
        sign_out(here, token)
        assert status(here, token) == 401
        times.append(refused_by_all(there, token))
    told("sign-out on PostgreSQL, until both other replicas refuse", times)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["fast", "immediate"])
def test_what_is_signed_out_is_refused_by_all_when_the_database_restarts_in_the_middle(
    replicas: list[Server], durable: Cluster, how: signal.Signals
) -> None:
    acknowledged: list[tuple[str, float]] = []
    times = []

    def sign_out_again_and_again() -> None:
        for here, there in turns(replicas):
            token, _ = sign_in_again(here)
            sign_out(here, token)
            acknowledged.append((token, time.perf_counter()))
            times.append(refused_by_all(there, token))

    with ThreadPoolExecutor(1) as beside:
        work = beside.submit(sign_out_again_and_again)
        until(lambda: len(acknowledged) > ROUNDS // 2 or work.done())
        durable.stop(how)
        gone_at = time.perf_counter()
        time.sleep(1)
        durable.start()
        back_at = time.perf_counter()
        before = [token for token, at in acknowledged if at < back_at]
        seconds = refused_by_all(replicas, *before)
        work.result()
    told(f"sign-out with a restart ({how.name}) in the middle", times)
    print(  # noqa: T201  # the figures are wanted
        f"gone for {back_at - gone_at:.1f} s; {len(before)} tokens signed out before its return"
        f" all refused {seconds * 1000:.0f} ms after it"
    )
    out = [token for token, _ in acknowledged]
    assert len(out) == ROUNDS
    for server in replicas:
        assert {status(server, token) for token in out} == {401}
    kept = {sid for (sid,) in run_sql(replicas[0].database, "SELECT sid FROM changes")}
    assert {session_of(token) for token in out} <= kept


def test_tokens_are_verified_at_full_speed_while_the_database_restarts(
    replicas: list[Server], durable: Cluster
) -> None:
    server, load = replicas[0], Load()
    good, bad = sign_in(server.port), sign_in(server.port)
    sign_out(server, bad)
    with load.on(server, good, bad):
        time.sleep(2)
        before = load.right
        durable.stop(signal.SIGQUIT)
        time.sleep(2)
        during = load.right - before
        durable.start()
        _, seconds = sign_in_again(server)
        time.sleep(1)
    print(  # noqa: T201  # the figures are wanted
        f"\n{load.right} answers, all right but {len(load.wrong)}: {before / 2:.0f} a second"
        f" before, {during / 2:.0f} without the database; slowest {load.slowest * 1000:.0f} ms;"
        f" a sign-in {seconds * 1000:.0f} ms after its return"
    )
    assert load.wrong == []
    assert during > 0


@contextlib.contextmanager
def gone(cluster: Cluster) -> Iterator[None]:
    """Take the server away."""
    cluster.stop()
    yield
    cluster.start()


@contextlib.contextmanager
def hanging(cluster: Cluster) -> Iterator[None]:
    """Let the server answer nobody."""
    with cluster.hanging():
        yield


@contextlib.contextmanager
def full(cluster: Cluster) -> Iterator[None]:
    """Leave no connection for anybody, nor those that there were."""
    cluster.stop()
    cluster.start(max_connections=str(CONNECTIONS))
    turn_out = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname LIKE 'l%'"
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(psycopg.connect(cluster.url("postgres"), autocommit=True))
        held = 1
        while held < CONNECTIONS:
            try:
                stack.enter_context(psycopg.connect(cluster.url("postgres")))
            except psycopg.OperationalError:
                first.execute(turn_out)
            else:
                held += 1
        yield


@pytest.mark.parametrize("fault", [gone, hanging, full], ids=["gone", "hanging", "full"])
def test_without_the_database_tokens_are_verified_and_the_rest_says_when_to_come_again(
    replicas: list[Server],
    durable: Cluster,
    fault: Callable[[Cluster], AbstractContextManager[None]],
) -> None:
    server = replicas[0]
    token, out = sign_in(server.port), sign_in(server.port)
    sign_out(server, out)
    times = []
    with fault(durable):
        assert_unavailable(ask(server.port, "/auth/bypass?token=admin"))
        assert_unavailable(ask(server.port, "/auth/logout", "POST", headers=cookie(token)))
        for _ in range(100):
            began = time.perf_counter()
            assert (status(server, token), status(server, out)) == (200, 401)
            times.append(time.perf_counter() - began)
            time.sleep(0.02)
        assert ask(server.port, "/readyz").status == 503
        assert ask(server.port, "/healthz").status == 200
    _, seconds = sign_in_again(server)
    print(  # noqa: T201  # the figures are wanted
        f"\ntwo checks without the database: p50 {statistics.median(times) * 1000:.0f} ms, worst"
        f" {max(times) * 1000:.0f} ms; signed in {seconds * 1000:.0f} ms after its return"
    )
    sign_out(server, token)
    refused_by_all(replicas, token, out)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_database_that_falls_silent_as_soon_as_the_port_is_open_ends_no_server(
    running: Running, durable_databases: Databases, workers: str
) -> None:
    first = running.start(durable_databases)
    with psycopg.connect(first.database.url) as held:
        held.execute("LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
        second = running.start(durable_databases, beside=first, WORKERS=workers)
        assert "sign in as" not in second.log("the database is not responding")
        assert ask(second.port, "/healthz").status == 200
    sign_in_again(second)
    assert_calm([first, second])


def can_write(server: Server) -> bool:
    """Tell whether a session can be ended."""
    headers = cookie(sign_in(server.port))
    return ask(server.port, "/auth/logout", "POST", headers=headers).status == 302


def test_a_database_that_can_only_be_read_lets_people_in_and_refuses_changes(
    replicas: list[Server], durable: Cluster
) -> None:
    server = replicas[0]
    token = sign_in(server.port)
    durable.run("ALTER SYSTEM SET default_transaction_read_only = on")
    durable.run("SELECT pg_reload_conf()")
    try:
        until(lambda: not can_write(server))
        assert_unavailable(ask(server.port, "/auth/logout", "POST", headers=cookie(token)))
        assert status(server, token) == 200
        sign_in(server.port)
    finally:
        with psycopg.connect(durable.url("postgres"), autocommit=True) as connection:
            connection.execute("SET default_transaction_read_only = off")
            connection.execute("ALTER SYSTEM RESET default_transaction_read_only")
            connection.execute("SELECT pg_reload_conf()")
    sign_out(server, token)
    refused_by_all(replicas, token)


@pytest.mark.parametrize("address", ["of both", "of whoever has it"])
def test_a_standby_takes_over_and_nothing_that_was_acknowledged_is_lost(
    running: Running, tmp_path: Path, address: str
) -> None:
    """The address names both, or is that of the old one, which the new one is given."""
    with contextlib.ExitStack() as stack:
        first = Cluster(durable=True, port=free_port())
        stack.callback(first.remove)
        second = first.standby(free_port())
        stack.callback(second.remove)
        first.also = second.port if address == "of both" else None
        for setting in ("synchronous_standby_names = '*'", "synchronous_commit = 'remote_apply'"):
            first.run(f"ALTER SYSTEM SET {setting}")
        first.run("SELECT pg_reload_conf()")
        store = databases_on(first, tmp_path)
        server = running.start(store)
        out = [sign_in(server.port) for _ in range(5)]
        for token in out:
            sign_out(server, token)
        good = sign_in(server.port)

        first.stop(signal.SIGQUIT)
        if address != "of both":
            second.stop()
            second.port = first.port
            second.start()
        for _ in range(2):
            assert_unavailable(ask(server.port, "/auth/logout", "POST", headers=cookie(good)))
            assert_unavailable(ask(server.port, "/auth/bypass?token=admin"))
            assert status(server, good) == 200
            time.sleep(1)
        second.run("ALTER SYSTEM RESET synchronous_standby_names")
        second.run("SELECT pg_reload_conf()")
        second.run("SELECT pg_promote()")
        _, seconds = sign_in_again(server)
        print(f"\nsigned in {seconds * 1000:.0f} ms after the failover")  # noqa: T201  # the figure
        late = running.start(store, beside=server)
        for each in (server, late):
            assert {status(each, token) for token in out} == {401}
            assert status(each, good) == 200
        sign_out(late, good)
        refused_by_all([server], good)
        assert_calm([server, late])


async def test_a_host_that_is_silent_does_not_hide_the_next(durable: Cluster) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        both = durable.url("postgres").replace("127.0.0.1:", f"127.0.0.1:{port},127.0.0.1:", 1)
        async with db.connect(database_at(both)) as database:
            assert await database.fetch_all("SELECT 1 AS a") == [{"a": 1}]
            async with database.transaction() as tx:
                assert await tx.fetch_all("SELECT 2 AS a") == [{"a": 2}]
