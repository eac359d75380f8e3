"""Processes in one simulated world: its time passes at once, and their clocks may be wrong."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest

from service import errors, keys, users
from service.config import DatabaseUrl as Where
from service.db import Database
from service.housekeeping import Housekeeping
from service.revocation.feed import Revocation
from service.tokens.issuer import TokenIssuer
from tests.support import people
from tests.support.environment import Settings
from tests.support.stores import run_sql

NOW = 1_800_000_000.0
HOUR = 3600
LIFE = 6 * HOUR

FAKE_CLOCK = """
CREATE SCHEMA fake;
CREATE TABLE fake.clock (now DOUBLE PRECISION);
INSERT INTO fake.clock VALUES ({now});
CREATE FUNCTION fake.clock_timestamp() RETURNS timestamptz LANGUAGE sql
 AS 'SELECT to_timestamp(now) FROM fake.clock';
ALTER DATABASE {name} SET search_path = fake, public, pg_catalog;
ALTER DATABASE {name} SET synchronous_commit = off;
"""
"""A clock of PostgreSQL that can be set: `clock_timestamp()` is found here first."""


@dataclass
class World:
    """The true time, and a database whose machine has it."""

    where: Where
    now: float = NOW
    server: psycopg.Connection[Any] | None = None

    def pass_by(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds
        if self.server is not None:
            self.server.execute("UPDATE fake.clock SET now = %s", (self.now,))


@dataclass
class Process:
    """A process with a clock that may be wrong by `error` seconds."""

    world: World
    database: Database
    config: Settings
    life: int = LIFE
    error: float = 0.0
    tokens: TokenIssuer = field(init=False)
    feed: Revocation = field(init=False)
    keeping: Housekeeping = field(init=False)

    async def start(self) -> "Process":
        """Start, or start again."""
        clock, ticks = (lambda: self.world.now + self.error), (lambda: self.world.now - NOW)
        settings = self.config(JWT_EXPIRES_IN=str(self.life))
        self.tokens = TokenIssuer(settings, keys.load(settings), clock=clock)
        self.feed = people.memory(self.database, ticks=ticks)
        self.keeping = Housekeeping(self.database, self.feed, self.tokens, clock=clock, ticks=ticks)
        await self.keeping.start()
        return self

    async def run(self, seconds: float) -> None:
        """Let time pass, in which this process does what is due now and then."""
        step = 60 if seconds < HOUR else 600
        while seconds > 0:
            self.world.pass_by(min(seconds, step))
            seconds -= step
            await self.tend()

    async def tend(self) -> None:
        """Do what is due at once."""
        await self.feed.catch_up()
        await self.keeping.tend()

    async def accepts(self, token: str) -> bool:
        """Tell whether it accepts a token."""
        await self.feed.catch_up()
        return await self.accepts_by_memory(token)

    async def accepts_by_memory(self, token: str) -> bool:
        """Tell the same, of a process that has just caught up."""
        try:
            await self.feed.check(self.tokens.verify(token))
        except errors.Unauthenticated:
            return False
        return True

    async def sign_in(self, username: str = "user") -> str:
        """Return a token of a new session."""
        return self.tokens.issue(
            await users.get_by_username(self.database, username), amr=("cli",)
        )[0]


@pytest.fixture
def world(where: Where) -> Iterator[World]:
    """Yield a world in which a database says what time it is."""
    if where.path is not None:
        yield World(where)
        return
    name = where.shown.rpartition("/")[2]
    for statement in FAKE_CLOCK.format(now=NOW, name=name).split(";\n")[:-1]:
        run_sql(where, statement)
    with contextlib.closing(psycopg.connect(where.url, autocommit=True)) as server:
        yield World(where, server=server)
