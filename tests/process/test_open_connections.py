"""Open connections: heads have their time, idle ones make room, who does not read is closed."""

import asyncio

import pytest

from service.limits.client_limits import QUEUED, Bounds
from service.server import open_connections as connections
from service.web import context
from tests.support.connections import REQUEST, Client, Serve, Site, serving, through

__all__ = ["serving"]

STORES = ("sqlite",)


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
            client.writer.write(f"X-{number}: {'a' * 2000}\r\n".encode())
        assert (await client.closed()).startswith(b"HTTP/1.1 431 ")


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
