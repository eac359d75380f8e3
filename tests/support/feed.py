"""A feed of revocations in memory, and changes that another process makes."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from service import db, errors, users
from service.config import DatabaseUrl as Where
from service.db import Database, Transaction
from service.revocation.feed import Revocation
from tests.support import people

Change = Callable[[Transaction], Awaitable[Any]]


class Ticks:
    """A stopwatch that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Return its reading."""
        return self.now


@pytest.fixture
def ticks() -> Ticks:
    """Return a stopwatch."""
    return Ticks()


@pytest.fixture
async def feed(database: Database, ticks: Ticks) -> Revocation:
    """Return a memory that has caught up."""
    await people.note(database)
    feed = people.memory(database, ticks=ticks)
    await feed.catch_up()
    return feed


@pytest.fixture
async def elsewhere(
    where: Where,
) -> AsyncIterator[Callable[[Change], Awaitable[None]]]:
    """Yield what changes the database from another process's connection."""
    async with db.connect(where) as other:

        async def change(action: Change) -> None:
            async with other.transaction() as tx:
                await action(tx)

        yield change


async def claims_of(database: Database, username: str, sid: str = "session-1") -> Any:
    """Return the claims that a token of this user would have now; tests change them."""
    user = await users.find_by_username(database, username)
    assert user is not None
    return {
        "id": user["id"],
        "username": user["username"],
        "roles": user["roles"],
        "ver": user["version"],
        "sid": sid,
        "iat": int(time.time()),
        "exp": int(time.time()) + 3600,
    }


def altered(claims: Any, **changes: object) -> Any:
    """Return claims with changes."""
    return dict(claims, **changes)


Elsewhere = Callable[[Change], Awaitable[None]]


async def refused(feed: Revocation, claims: Any) -> bool:
    """Tell whether a token is refused as revoked."""
    try:
        await feed.check(claims)
    except errors.TokenRevoked:
        return True
    return False
