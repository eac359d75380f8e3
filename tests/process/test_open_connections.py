"""Connections: heads have their time, idle ones make room, and who does not read is closed."""

import asyncio
import shutil
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    ExitStack,
    asynccontextmanager,
    contextmanager,
    suppress,
)
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest
from aiohttp import web

from service.limits.client_limits import QUEUED, Bounds
from service.server import open_connections as connections
from service.server.connection_state import Watched
from service.server.open_connections import Connections
from service.server.run import listening
from service.web import context
from tests.support.client import ask
from tests.support.environment import ROOT, Settings, clean_environ, free_port
from tests.support.servers import Server, wait_for
from tests.support.stores import Files

STORES = ("sqlite",)
REQUEST = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
PATIENCE = 20.0


@dataclass
class Client:
    """A connection of a test."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @classmethod
    async def to(cls, port: int) -> "Client":
        """Connect."""
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def ask(self, request: bytes = REQUEST) -> int:
        """Return the status of an answer, read to its end."""
        self.writer.write(request)
        async with asyncio.timeout(PATIENCE):
            head = (await self.reader.readuntil(b"\r\n\r\n")).lower()
            length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
            await self.reader.readexactly(length)
        return int(head.split()[1])

    async def closed(self) -> bytes:
        """Wait until the server closes, and return what it has sent."""
        async with asyncio.timeout(PATIENCE):
            try:
                return await self.reader.read()
            except ConnectionResetError:
                return b""

    @property
    def is_open(self) -> bool:
        """Whether the server has not closed yet."""
        return not self.reader.at_eof() and self.reader.exception() is None


@dataclass
class Site:
    """A server in this process, and its clients."""

    port: int
    app: web.Application
    clients: list[Client] = field(default_factory=list)

    async def client(self) -> Client:
        """Connect."""
        self.clients.append(await Client.to(self.port))
        return self.clients[-1]

    @property
    def connections(self) -> Connections:
        """The server's ends of the connections."""
        return self.app[context.METRICS]._watched["connections"].__self__  # type: ignore[attr-defined, no-any-return]

    @property
    def open(self) -> int:
        """How many connections are open."""
        return len(self.connections)

    @property
    def all(self) -> list[Watched]:
        """Return the server's ends of those that no proxy has opened."""
        return cast("list[Watched]", list(self.connections._strangers.open))

    @property
    def bodies(self) -> int:
        """How many bodies are not complete."""
        return len(self.connections._strangers.bodies)

    def closed(self, reason: str) -> int:
        """Return how many connections were closed for a reason."""
        return self.app[context.METRICS]._own.closed[reason]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something holds."""
        async with asyncio.timeout(PATIENCE):
            while not condition():  # noqa: ASYNC110  # nothing tells
                await asyncio.sleep(0.01)

    async def begun_bodies(self, count: int) -> None:
        """Wait until so many bodies have begun, those that were given up included."""
        await self.until(lambda: self.bodies + self.closed("body") == count)


Serve = Callable[..., AbstractAsyncContextManager[Site]]


@pytest.fixture
def serving(settings: Settings, where: object) -> Serve:
    """Return what serves within bounds."""
    del where

    @asynccontextmanager
    async def serve(bounds: Bounds, **changes: str) -> AsyncIterator[Site]:
        config = settings(PORT=str(free_port()), **changes)
        async with listening(config, bounds=bounds) as app:
            site = Site(config.port, app)
            try:
                yield site
            finally:
                for client in site.clients:
                    client.writer.transport.abort()

    return serve


QUICK = Bounds(head_seconds=0.4)


@pytest.mark.parametrize(
    "start",
    [b"", b"G", b"GET / HTTP/1.1\r\nHost: lo", REQUEST + b"GET /", REQUEST * 3 + b"GET / HTTP/1.1"],
    ids=["nothing", "a letter", "half", "after another", "after three"],
)
async def test_a_head_has_its_time_from_the_first_byte(serving: Serve, start: bytes) -> None:
    async with serving(QUICK) as site:
        client = await site.client()
        client.writer.write(start)
        answered = await client.closed()
        assert answered.count(b"HTTP/1.1 200 ") == start.count(REQUEST)
        assert site.closed("head") == 1


async def test_a_head_that_dribbles_is_closed(serving: Serve) -> None:
    async with serving(QUICK) as site:
        client = await site.client()
        assert await client.ask() == 200

        async def dribble() -> None:
            for letter in b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 1000:
                client.writer.write(bytes([letter]))
                await asyncio.sleep(0.05)

        task = asyncio.create_task(dribble())
        assert await client.closed() == b""
        assert site.closed("head") == 1
        task.cancel()


@pytest.mark.parametrize("first", [b"", REQUEST], ids=["first", "another"])
async def test_a_head_has_its_length(serving: Serve, first: bytes) -> None:
    async with serving(Bounds()) as site:
        client = await site.client()
        if first:
            assert await client.ask(first) == 200
        client.writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
        for number in range(100):
            client.writer.write(f"X-{number}: {'a' * 1000}\r\n".encode())
        assert await client.closed() == b""
        assert site.closed("head") == 1


async def test_all_incomplete_heads_together_have_a_bound(
    serving: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEADS_BYTES", 100_000)
    async with serving(Bounds()) as site:
        clients = [await site.client() for _ in range(4)]
        for client in clients:
            client.writer.write(b"GET / HTTP/1.1\r\n" + (b"X: " + b"a" * 995 + b"\r\n") * 40)
            await client.writer.drain()
        assert await clients[0].closed() == b""
        assert await clients[1].closed() == b""
        assert site.closed("head") == 2
        assert await clients[3].ask(b"Host: localhost\r\n\r\n") == 200


async def test_all_large_requests_together_have_a_bound_until_they_are_answered(
    serving: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "LARGE_REQUESTS_BYTES", 100_000)
    large = REQUEST.replace(b"\r\n\r\n", b"\r\nX: " + b"a" * 7_000 + b"\r\n\r\n")
    async with serving(Bounds()) as site:
        over, held = await at_work(site, monkeypatch, 2)
        last = site.all[-1]
        for _ in range(20):
            assert await (await site.client()).ask(large) == 200
        for client in held:  # two are read, more waits in one piece at most
            client.writer.write(large * 100)
        assert await held[0].closed() == b""
        assert len(last._messages) <= QUEUED
        assert [await (await site.client()).ask(large) for _ in range(3)] == [200] * 3
        over.set()
        assert site.closed("room") >= 1


async def test_who_sends_on_and_on_is_answered_and_counts_only_with_what_waits(
    serving: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "LARGE_REQUESTS_BYTES", 400_000)
    large = REQUEST.replace(b"\r\n\r\n", b"\r\nX: " + b"a" * 7_000 + b"\r\n\r\n")
    async with serving(Bounds()) as site:
        client = await site.client()
        client.writer.write(large * 200)
        assert [await client.ask(b"") for _ in range(200)] == [200] * 200
        assert site.connections._strangers.requests.bytes == 0


async def test_an_idle_connection_stays_while_there_is_room(
    serving: Serve,
) -> None:
    async with serving(QUICK) as site:
        client, late = await site.client(), await site.client()
        assert await client.ask() == 200
        await late.closed()  # so much time is over
        assert await client.ask() == 200
        body = b"POST /auth/logout HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\na=b"
        assert await client.ask(body) == 302
        late = await site.client()
        await late.closed()
        assert await client.ask() == 200


async def test_a_body_is_no_head(serving: Serve) -> None:
    async with serving(QUICK) as site:
        client, late = await site.client(), await site.client()
        client.writer.write(
            b"POST /auth/logout HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\n"
        )
        await late.closed()
        assert await client.ask(b"a=b") == 302
        assert site.closed("head") == 1


async def test_who_has_just_connected_makes_room_after_idle_connections(serving: Serve) -> None:
    async with serving(Bounds(most=4)) as site:
        idle = [await site.client() for _ in range(3)]
        for client in idle:
            assert await client.ask() == 200
        slow = await site.client()
        newcomers = [await site.client() for _ in range(3)]
        assert [await client.closed() for client in idle] == [b""] * 3
        assert await slow.ask() == 200
        assert [await client.ask() for client in newcomers] == [200] * 3


async def test_old_half_sent_heads_make_room_first_then_the_longest_idle(
    serving: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "YOUNG_SECONDS", 0)
    async with serving(Bounds(most=4)) as site:
        idle = [await site.client() for _ in range(3)]
        for client in idle:
            assert await client.ask() == 200
        assert await idle[0].ask() == 200  # now the second is the longest idle
        half = await site.client()
        half.writer.write(b"GET / HT")
        assert await (await site.client()).ask() == 200
        assert await half.closed() == b""
        assert await (await site.client()).ask() == 200
        assert await idle[1].closed() == b""
        assert await idle[0].ask() == await idle[2].ask() == 200
        assert site.closed("room") == 2


async def test_connections_of_proxies_make_room_last(serving: Serve) -> None:
    async with serving(Bounds(most=2), TRUSTED_PROXIES="127.0.0.2/32") as site:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", site.port, local_addr=("127.0.0.2", 0)
        )
        proxy = Client(reader, writer)
        site.clients.append(proxy)
        assert await proxy.ask() == 200
        for _ in range(5):
            assert await (await site.client()).ask() == 200
        assert await proxy.ask() == 200


BODY = b"POST /auth/logout HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n\r\na="
REST = b"b" * 59_998


async def test_bodies_that_dribble_keep_nobody_out(serving: Serve) -> None:
    async with serving(Bounds(most=16)) as site:
        for _ in range(40):
            slow = await site.client()
            slow.writer.write(BODY)
            assert await (await site.client()).ask() == 200
        assert await slow.ask(REST) == 302


async def test_incomplete_bodies_make_room_after_idle_connections(serving: Serve) -> None:
    async with serving(Bounds(most=8)) as site:
        slow = [await site.client() for _ in range(2)]
        for client in slow:
            client.writer.write(BODY)
        for _ in range(20):
            assert await (await site.client()).ask() == 200
        assert [await client.ask(REST) for client in slow] == [302, 302]


async def test_of_too_many_incomplete_bodies_the_oldest_is_refused(serving: Serve) -> None:
    async with serving(Bounds(most=16)) as site:
        slow = [await site.client() for _ in range(6)]
        for number, client in enumerate(slow, 1):
            client.writer.write(BODY)
            await site.begun_bodies(number)
        for client in slow[:2]:
            assert b" 408 " in (await client.closed()).partition(b"\r\n")[0]
        assert [await client.ask(REST) for client in slow[2:]] == [302] * 4
        assert site.closed("body") == 2


async def test_all_incomplete_bodies_together_have_a_bound(
    serving: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "BODIES_BYTES", 200_000)
    async with serving(Bounds()) as site:
        slow = [await site.client() for _ in range(3)]
        for client in slow:
            client.writer.write(BODY + REST[:40_000])
            await client.writer.drain()
            assert await (await site.client()).ask() == 200
        assert b" 408 " in (await slow[0].closed()).partition(b"\r\n")[0]
        assert [await client.ask(REST[40_000:]) for client in slow[1:]] == [302, 302]


@pytest.mark.parametrize("path", ["/auth/verify", "/nothing"])
async def test_a_body_that_is_not_read_is_given_up_too(serving: Serve, path: str) -> None:
    async with serving(Bounds(most=4)) as site:
        early = await site.client()
        assert await early.ask(BODY.replace(b"/auth/logout", path.encode())) in {401, 404}
        other = await site.client()
        other.writer.write(BODY)
        assert await early.closed() == b""
        assert await other.ask(REST) == 302
        assert site.closed("body") == 1


async def through(site: Site) -> Client:
    """Connect as the trusted proxy does."""
    streams = await asyncio.open_connection("127.0.0.1", site.port, local_addr=("127.0.0.2", 0))
    site.clients.append(Client(*streams))
    return site.clients[-1]


async def test_bodies_of_strangers_end_none_of_a_proxy(serving: Serve) -> None:
    async with serving(Bounds(most=16), TRUSTED_PROXIES="127.0.0.2/32") as site:
        proxy = await through(site)
        proxy.writer.write(BODY)
        for _ in range(40):
            (await site.client()).writer.write(BODY)
            assert await (await through(site)).ask() == 200
        assert await proxy.ask(REST) == 302


async def test_bodies_of_a_proxy_close_none_of_its_other_connections(serving: Serve) -> None:
    async with serving(Bounds(most=16), TRUSTED_PROXIES="127.0.0.2/32") as site:
        idle = await through(site)
        assert await idle.ask() == 200
        for _ in range(40):
            (await through(site)).writer.write(BODY)
            assert await idle.ask() == 200
            assert await (await site.client()).ask() == 200
        assert site.closed("busy") == 0


async def at_work(
    site: Site, monkeypatch: pytest.MonkeyPatch, count: int
) -> tuple[asyncio.Event, list[Client]]:
    """Ask on some connections what is answered when an event is set."""
    over = asyncio.Event()

    async def ask_slowly() -> bool:
        return await over.wait()

    monkeypatch.setattr(site.app[context.READINESS], "_ask", ask_slowly)
    held = [await site.client() for _ in range(count)]
    for client in held:
        client.writer.write(REQUEST.replace(b"healthz", b"readyz"))
        await client.writer.drain()
    await site.until(lambda: site.open == count and not any(each.is_idle for each in site.all))
    return over, held


async def test_a_visitor_is_taken_in_when_all_others_have_been_at_work_for_long(
    serving: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.server.open_connections.AT_WORK_SECONDS", 0)
    async with serving(Bounds(most=4)) as site:
        over, held = await at_work(site, monkeypatch, 4)
        late = await site.client()
        assert await late.ask() == 200
        assert await held[0].closed() == b""
        assert [client.is_open for client in held[1:]] == [True] * 3
        assert site.closed("busy") == 0
        over.set()


async def test_a_proxy_is_taken_in_when_strangers_are_at_work(
    serving: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.server.open_connections.AT_WORK_SECONDS", 60)
    async with serving(Bounds(most=4), TRUSTED_PROXIES="127.0.0.2/32") as site:
        over, held = await at_work(site, monkeypatch, 4)
        late = await site.client()
        assert await late.closed() == b""
        assert site.closed("busy") == 1
        proxies = [await through(site) for _ in range(4)]
        assert [await proxy.ask() for proxy in proxies] == [200] * 4
        assert [await client.closed() for client in held] == [b""] * 4
        over.set()


async def test_who_connects_again_and_again_is_always_answered(
    serving: Serve,
) -> None:
    async with serving(Bounds(most=10)) as site:
        for _ in range(100):
            assert await (await site.client()).ask() == 200
        assert site.closed("room") == 90
        assert site.open <= 10


async def test_who_does_not_read_is_closed(serving: Serve) -> None:
    bounds = Bounds(unread_seconds=0.3, head_seconds=0.4)
    async with serving(bounds) as site:
        client = await site.client()
        client.reader._transport.pause_reading()  # type: ignore[attr-defined]
        ask_for = b"GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: localhost\r\n\r\n"
        client.writer.write(ask_for * 20)
        await site.until(lambda: site.closed("unread") == 1)
        await site.until(lambda: site.open == 0)


async def test_all_answers_that_are_not_read_have_a_bound(
    serving: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "UNREAD_BYTES", 200_000)
    ask_for = b"GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: localhost\r\n\r\n"
    async with serving(Bounds()) as site:
        clients = [await site.client() for _ in range(8)]
        for client in clients:
            client.reader._transport.pause_reading()  # type: ignore[attr-defined]
            client.writer.write(ask_for * 20)
        await site.until(lambda: site.closed("unread") >= 1)
        assert site.connections._strangers.unread.bytes <= 200_000
        reader = await site.client()
        for _ in range(3):  # who reads is not counted
            assert await reader.ask(ask_for) == 200
        assert reader.is_open


@contextmanager
def limited(files: Files, folder: Path, descriptors: str) -> Iterator[Server]:
    """Run a server that may have so many descriptors."""
    shutil.copy(ROOT / ".env.test", folder / ".env")
    environ = {"PORT": str(free_port())}
    database = files.seeded(folder)
    with (folder / f"log-{environ['PORT']}").open("wb") as log:
        process = subprocess.Popen(
            ["sh", "-c", f'ulimit -n {descriptors}; exec "$0" -m service serve', sys.executable],
            cwd=folder,
            env=clean_environ(**environ),
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    server = Server(int(environ["PORT"]), folder, database, environ, process)
    try:
        wait_for(server)
        yield server
    finally:
        process.terminate()
        assert process.wait(20) == 0, server.log()


@pytest.mark.parametrize("sent", [b"", REQUEST, b"GET / HTTP/1.1\r\nHo"], ids=["", "idle", "half"])
def test_more_connections_than_descriptors_keep_no_visitor_out(
    files: Files, tmp_path: Path, sent: bytes
) -> None:
    with limited(files, tmp_path, "256") as server, ExitStack() as stack:
        for _ in range(600):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            with suppress(OSError):  # made room already
                connection.sendall(sent)
        for _ in range(20):
            assert ask(server.port, "/auth/bypass?token=admin").status == 302
        log = server.log(until="connections_full")
        assert log.count("connections_full") == 1
        assert "most=128" in log
        assert "Traceback" not in log
        assert "latchkey_connections " in ask(server.port, "/metrics").text


def test_the_soft_limit_of_descriptors_is_raised(files: Files, tmp_path: Path) -> None:
    with limited(files, tmp_path, "4096; ulimit -Sn 512") as server:
        limits = Path(f"/proc/{server.process.pid}/limits").read_text()
        (line,) = [line for line in limits.splitlines() if line.startswith("Max open files")]
        assert line.split()[3:5] == ["4096", "4096"]
