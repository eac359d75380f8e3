"""Open connections with bodies that are incomplete: they have bounds and make room."""

import pytest

from service.limits.client_limits import Bounds
from service.server import open_connections as connections
from tests.support.connections import Serve, serving, through

__all__ = ["serving"]

STORES = ("sqlite",)


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
