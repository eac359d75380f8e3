"""Users by their names, for tests that change them."""

import time
from collections.abc import Callable

from service import users
from service.audit import Actor
from service.db import Database, Row, Transaction
from service.providers import sessions
from service.revocation import events
from service.revocation.feed import Revocation
from service.tokens import lifetimes
from service.tokens.claims import Claims
from service.users import User

BY = Actor("test")


async def note(database: Database, seconds: int = 6 * 3600, now: float | None = None) -> int:
    """Note that tokens with that life are issued, as every process does; return their horizon."""
    async with database.transaction() as tx:
        return await lifetimes.note(tx, seconds, int(time.time() if now is None else now))


def memory(database: Database, **options: Callable[[], float]) -> Revocation:
    """Return the memory of a process, which has read nothing yet; `options` may be `ticks`."""
    return Revocation(
        database,
        lambda user_id: users.find_by_id(database, user_id),
        max_staleness=60,
        **options,
    )


async def end_session(database: Database, feed: Revocation, claims: Claims) -> None:
    """Sign out the session of a token, in the process of `feed`."""
    async with database.transaction() as tx:
        await sessions.end_own(tx, claims["sid"], claims["exp"])
    feed.apply_own(tx.events)


async def sign_out(database: Database, feed: Revocation, claims: Claims) -> None:
    """Sign out all sessions of the user of a token, in the process of `feed`."""
    async with database.transaction() as tx:
        await users.sign_out_by_token(tx, BY, claims)
    feed.apply_own(tx.events)


async def delete(tx: Transaction, username: str) -> None:
    """Delete a user."""
    await users.delete(tx, BY, await users.get_by_username(tx, username))


async def rename(tx: Transaction, username: str, to: str) -> User:
    """Give a user another name."""
    return await users.update(tx, BY, await users.get_by_username(tx, username), {"username": to})


async def feed_rows(database: Database, since: int = 0) -> list[Row]:
    """Return the rows of the feed after a place."""
    return (await events.read(database, since)).rows


async def everybody(database: Database) -> list[User]:
    """Return all users, in the order of their names."""
    found, _ = await users.page(database, users.Query(limit=10_000))
    return found
