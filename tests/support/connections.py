"""A server within a test, and clients that hold its connections open."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

import pytest
from aiohttp import web

from service.limits.client_limits import Bounds
from service.server.connection_state import Watched
from service.server.open_connections import Connections
from service.server.run import listening
from service.web import context
from tests.support.environment import Settings, free_port

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


async def through(site: Site) -> Client:
    """Connect as the trusted proxy does."""
    streams = await asyncio.open_connection("127.0.0.1", site.port, local_addr=("127.0.0.2", 0))
    site.clients.append(Client(*streams))
    return site.clients[-1]
