"""Strangers may use up what is theirs: readiness, sign-in and checks of tokens keep their share."""

import asyncio
import resource
import statistics
import time
from typing import Any
from unittest import mock

import aiohttp
import jwt
import pytest
from aiohttp.test_utils import make_mocked_request

from service import db
from service.config import DatabaseUrl
from service.db.postgresql import database as postgresql
from service.db.sqlite import database as sqlite
from service.errors import Overloaded
from service.revocation import events
from service.revocation.documents import Documents
from service.server.run import listening
from service.web import context, large_responses
from tests.support.client import ask, bearer, sign_in
from tests.support.crowd import Crowd
from tests.support.environment import Settings, free_port
from tests.support.servers import Server, Start

ROWS = 10_000
ROUNDS = 10


@pytest.fixture(scope="module", autouse=True)
def _room_for_a_crowd() -> None:
    """Raise the soft limit of descriptors, which the crowd inherits."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert hard >= 4096
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 65536)), hard))


@pytest.fixture(scope="module")
def busy(start: Start) -> Server:
    """Return a server whose feed is long."""
    server = start()

    async def fill() -> None:
        async with db.connect(server.database) as database, database.transaction() as tx:
            await tx.execute(
                "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
                " INSERT INTO changes (kind, sid, until)"
                " SELECT 'session', 'a-session-of-22-letters-' || i, ? FROM n",
                (ROWS - 1, int(time.time()) + 36000),
            )

    asyncio.run(fill())
    deadline = time.monotonic() + 20
    while f"latchkey_revocations {ROWS}" not in ask(server.port, "/metrics").text:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return server


def assert_others_notice_nothing(server: Server) -> None:
    """Check readiness, sign-in and `/auth/verify` a few times while the crowd is there."""
    token = sign_in(server.port, "user")
    sign_ins = []
    for _ in range(ROUNDS):
        ready = ask(server.port, "/readyz")
        assert (ready.status, ready.json["database"]) == (200, "ok")
        began = time.perf_counter()
        sign_in(server.port)
        sign_ins.append(time.perf_counter() - began)
        assert ask(server.port, "/auth/verify", headers=bearer(token)).status == 200
    # The machine may be busy with other tests: one that takes longer is no sign of anything.
    assert statistics.median(sign_ins) < 1, sign_ins


@pytest.mark.parametrize("path", ["/auth/revocations?since=0", "/auth/revocations?since={n}"])
def test_three_hundred_who_ask_for_a_long_feed_stop_nobody(busy: Server, path: str) -> None:
    crowd = Crowd(asking=300, path=path, until="200")
    with crowd.around(busy.port):
        assert_others_notice_nothing(busy)
    assert crowd.statuses["200"] > 0
    assert crowd.statuses.keys() <= {"200", "503 later"}


def test_askers_idle_connections_and_half_sent_heads_together_stop_nobody(busy: Server) -> None:
    crowd = Crowd(asking=500, idle=500, half_sent=500, until="200")
    with crowd.around(busy.port):
        assert_others_notice_nothing(busy)
    assert crowd.statuses["200"] > 0
    assert crowd.statuses.keys() <= {"200", "503 later"}


@pytest.mark.parametrize("path", ["/readyz", "/metrics", "/auth/bypass?token=nobody-{n}"])
def test_other_open_pages_stop_nobody(busy: Server, path: str) -> None:
    with Crowd(asking=100, path=path).around(busy.port):
        assert_others_notice_nothing(busy)


SLOW = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 100000000)"
    " SELECT max(i) FROM n",
    "postgresql": "SELECT pg_sleep(4)",
}


async def test_readiness_and_the_feed_wait_for_no_reader(
    settings: Settings, where: DatabaseUrl
) -> None:
    del where
    config = settings(PORT=str(free_port()))
    async with listening(config) as app, aiohttp.ClientSession() as client:
        database = app[context.DATABASE]
        # One on SQLite, which has one reader, and as many as there are on PostgreSQL.
        count = 1 if database.kind == "sqlite" else postgresql.READERS
        slow = [asyncio.create_task(database.fetch_all(SLOW[database.kind])) for _ in range(count)]
        await asyncio.sleep(0)
        for path in ("/readyz", "/auth/revocations", "/auth/revocations?since=99"):
            async with client.get(f"http://127.0.0.1:{config.port}{path}") as answer:
                assert answer.status == 200
        assert not any(task.done() for task in slow)
        if isinstance(database, sqlite.Database):
            await database._reader._connection.interrupt()
        for task in slow:
            task.cancel()
        await asyncio.wait(slow)


async def test_who_asks_for_too_many_documents_waits_for_the_refusal(
    settings: Settings, where: DatabaseUrl, monkeypatch: pytest.MonkeyPatch
) -> None:
    del where
    config = settings(PORT=str(free_port()))
    held = []

    async def refuse(self: Documents, *_: object) -> bytes:
        del self
        raise Overloaded

    for way in ("get", "block", "part"):
        monkeypatch.setattr(Documents, way, refuse)
    async with listening(config) as app, aiohttp.ClientSession() as client:
        pace = app[context.LARGE_ANSWERS]._pace
        address = f"http://127.0.0.1:{config.port}/auth/revocations"
        asking = asyncio.ensure_future(client.get(address))
        while not asking.done():
            held.append(pace._held)
            await asyncio.sleep(0.01)
        async with await asking as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
    assert max(held) == 1


async def follow(client: aiohttp.ClientSession, url: str, since: int) -> list[dict[str, Any]]:
    """Read the feed from a place to its end, as a follower does."""
    documents: list[dict[str, Any]] = []
    while not documents or documents[-1]["more"]:
        async with client.get(f"{url}?since={since}") as answer:
            assert answer.status == 200
            documents.append(jwt.decode(await answer.text(), options={"verify_signature": False}))
            assert answer.headers["ETag"].split(".")[-2].split("-")[0] == str(
                documents[-1]["since"]
            )
        since = documents[-1]["next"]
    return documents


@pytest.mark.parametrize("behind", [101, 200, 450, 899, 900])
async def test_a_follower_far_behind_gets_through_while_strangers_ask_for_everything(
    settings: Settings, where: DatabaseUrl, behind: int
) -> None:
    """Strangers keep the lane of the other documents full: what is left comes in short ones."""
    del where
    config = settings(PORT=str(free_port()))
    async with listening(config) as app, aiohttp.ClientSession() as client:
        async with app[context.DATABASE].transaction() as tx:
            for version in range(900):
                await events.user_revoked(tx, 7, version)
        await app[context.REVOCATION].catch_up()
        app[context.DOCUMENTS]._others._most = 0
        url = f"http://127.0.0.1:{config.port}/auth/revocations"
        (whole,) = await follow(client, url, 0)
        wanted = [row for row in whole["changes"] if row[0] > whole["next"] - behind]
        assert len(wanted) == behind
        documents = await follow(client, url, whole["next"] - behind)
        assert [row for each in documents for row in each["changes"]] == (
            wanted if behind < 900 else whole["changes"]
        )
        assert documents[0]["since"] == whole["next"] - behind
        if behind < 900:
            assert all(len(each["changes"]) <= 200 for each in documents)


async def test_who_is_very_far_behind_reads_what_all_share(
    settings: Settings, where: DatabaseUrl, monkeypatch: pytest.MonkeyPatch
) -> None:
    del where
    monkeypatch.setattr("service.endpoints.revocations.NEAR", 300)
    config = settings(PORT=str(free_port()))
    async with listening(config) as app, aiohttp.ClientSession() as client:
        async with app[context.DATABASE].transaction() as tx:
            for version in range(900):
                await events.user_revoked(tx, 7, version)
        await app[context.REVOCATION].catch_up()
        app[context.DOCUMENTS]._others._most = 0
        url = f"http://127.0.0.1:{config.port}/auth/revocations"
        (document,) = await follow(client, url, 500)
        assert (document["since"], len(document["changes"])) == (0, 900)


@pytest.mark.parametrize("near", [0, 300, 6400])
@pytest.mark.parametrize("are_pruned", [False, True])
async def test_who_starts_reads_the_whole_feed_while_no_long_answer_is_free(
    settings: Settings,
    where: DatabaseUrl,
    monkeypatch: pytest.MonkeyPatch,
    near: int,
    *,
    are_pruned: bool,
) -> None:
    """Strangers ask for long answers and go: short ones are left, one after another."""
    del where
    monkeypatch.setattr("service.endpoints.revocations.NEAR", near)
    monkeypatch.setattr("service.revocation.documents.NEAR", near)
    config = settings(PORT=str(free_port()))
    async with listening(config) as app, aiohttp.ClientSession() as client:
        async with app[context.DATABASE].transaction() as tx:
            for version in range(1, 1101):
                await events.user_revoked(tx, 7, version)
            if are_pruned:
                await tx.execute("DELETE FROM changes WHERE seq < 250 OR seq % 3 = 0")
                await tx.execute("DELETE FROM changes WHERE seq BETWEEN 390 AND 810")
        await app[context.REVOCATION].catch_up()
        url = f"http://127.0.0.1:{config.port}/auth/revocations"
        (whole,) = await follow(client, url, 0)
        app[context.LARGE_ANSWERS]._pace._next = float("inf")
        documents = await follow(client, url, 0)
        assert [row for each in documents for row in each["changes"]] == whole["changes"]
        assert documents[-1]["next"] == whole["next"]
        assert all(each["since"] % 200 == 0 for each in documents)
        assert all(0 < len(each["changes"]) <= 200 for each in documents)
        assert len(documents) > 2
        async with app[context.DATABASE].transaction() as tx:
            await events.user_revoked(tx, 7, 2000)
        await app[context.REVOCATION].catch_up()
        (last,) = await follow(client, url, documents[-1]["since"])
        assert last["changes"][-1][3] == 2000


async def test_a_long_page_ends_where_a_short_document_begins(
    settings: Settings, where: DatabaseUrl, monkeypatch: pytest.MonkeyPatch
) -> None:
    del where
    monkeypatch.setattr("service.endpoints.revocations.LONG", 450)
    config = settings(PORT=str(free_port()))
    async with listening(config) as app, aiohttp.ClientSession() as client:
        async with app[context.DATABASE].transaction() as tx:
            for version in range(1, 1101):
                await events.user_revoked(tx, 7, version)
        await app[context.REVOCATION].catch_up()
        url = f"http://127.0.0.1:{config.port}/auth/revocations"
        documents = await follow(client, url, 0)
        assert [each["next"] for each in documents[:-1]] == [400, 800]
        rows = [row for each in documents for row in each["changes"]]
        assert [row[0] for row in rows] == sorted({row[0] for row in rows})
        assert len(rows) >= 1100


async def test_what_is_not_sent_of_a_long_answer_is_for_others() -> None:
    now = [0.0]
    answers = large_responses.LargeAnswers(lambda: now[0])
    transport = mock.Mock(get_write_buffer_size=lambda: 0)
    request = make_mocked_request("GET", "/", transport=transport)
    body = bytes(4 * large_responses.BYTES_PER_SECOND)
    gone = await answers.answer(request, body, {})
    assert answers.is_full
    assert isinstance(gone, large_responses._Large)
    answers.sent(gone)
    answers.sent(gone)
    assert not answers.is_full
    assert answers._pace._next <= 0
    gone = await answers.answer(request, body, {})
    assert isinstance(gone, large_responses._Large)
    gone._is_sent = True
    answers.sent(gone)
    assert answers.is_full


async def test_who_does_not_read_a_long_answer_makes_room_for_who_does(
    settings: Settings, where: DatabaseUrl, monkeypatch: pytest.MonkeyPatch
) -> None:
    del where
    monkeypatch.setattr(large_responses, "AT_ONCE", 2)
    monkeypatch.setattr(large_responses, "BYTES_PER_SECOND", 1e9)
    config = settings(PORT=str(free_port()))
    path = "/docs/swagger-ui-bundle.js"
    async with listening(config) as app, aiohttp.ClientSession() as client:
        opened = [await asyncio.open_connection("127.0.0.1", config.port) for _ in range(4)]
        for reader, writer in opened:
            reader._transport.pause_reading()  # type: ignore[attr-defined]
            # Several: the system's own buffers take one or two.
            writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() * 20)
        deadline = time.monotonic() + 20
        while len(app[context.LARGE_ASSETS]) < 2:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.01)
        status = 503
        while status == 503:
            assert time.monotonic() < deadline
            async with client.get(f"http://127.0.0.1:{config.port}{path}") as answer:
                status = answer.status
                await answer.read()
        assert status == 200
        for _, writer in opened:
            writer.transport.abort()
