"""Latchkey in the process of a test, on the test's own database, and a client of it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp import web

from service import audit, users
from service.config import Config
from service.db import Database
from service.providers import identities
from service.server.run import listening
from service.tokens.claims import Claims
from service.web import context
from tests.support.client import bearer

SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}
TIMES = 100
"""How often a request is sent at once, unless a test says otherwise."""


@dataclass
class Served:
    """A server in this process, and a client without cookies."""

    app: web.Application
    url: str
    client: aiohttp.ClientSession

    @property
    def database(self) -> Database:
        """Its database."""
        return self.app[context.DATABASE]

    async def ask(
        self, method: str, path: str, headers: dict[str, str] | None = None, **options: Any
    ) -> tuple[int, str]:
        """Send a request; return the status, and the code of a problem."""
        sent = {**SAME_ORIGIN, **(headers or {})}
        async with self.client.request(
            method, self.url + path, headers=sent, allow_redirects=False, **options
        ) as answer:
            is_problem = answer.content_type == "application/problem+json"
            problem = await answer.json(content_type=None) if is_problem else {"code": ""}
            return answer.status, problem["code"]

    async def at_once(
        self, method: str, path: str, token: str, *, times: int = TIMES, **options: Any
    ) -> list[int]:
        """Send the same request many times at once; return the answers' statuses."""
        headers = {**bearer(token), **options.pop("headers", {})}
        asked = (self.ask(method, path, headers, **options) for _ in range(times))
        return [status for status, _ in await asyncio.gather(*asked)]

    async def sign_in(self, username: str) -> str:
        """Return a new token."""
        address = f"{self.url}/auth/bypass?token={username}"
        async with self.client.get(address, allow_redirects=False) as answer:
            return answer.cookies["jwt"].value

    def claims(self, token: str) -> Claims:
        """Return what a token says."""
        return self.app[context.TOKENS].verify(token)

    async def everything(self) -> list[object]:
        """Return all that can be changed, and what was recorded last."""
        database = self.database
        found, _ = await users.page(database, users.Query(limit=200))
        linked = [await identities.of_user(database, user["id"]) for user in found]
        return [
            found,
            linked,
            await users.list_roles(database),
            await audit.page(database, audit.Query(limit=1)),
        ]


@contextlib.asynccontextmanager
async def serve(
    config: Config, connector: aiohttp.BaseConnector | None = None
) -> AsyncIterator[Served]:
    """Serve in this process until the block ends; the client uses the connector, if given."""
    jar = aiohttp.DummyCookieJar()
    async with (
        listening(config) as app,
        aiohttp.ClientSession(cookie_jar=jar, connector=connector) as client,
    ):
        yield Served(app, f"http://127.0.0.1:{config.port}", client)
