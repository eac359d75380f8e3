"""How a command reaches the database: open, check, do, close."""

import asyncio
import getpass
import os
from collections.abc import Awaitable, Callable
from typing import TypeVar

from service import config, db, errors, schema
from service.audit import Actor
from service.db import Database, Transaction

T = TypeVar("T")


def operator() -> Actor:
    """Return who runs this command, as the audit names it."""
    try:
        return Actor(f"cli:{getpass.getuser()}")
    except (OSError, KeyError):  # no such user on this machine, as in a container
        return Actor(f"cli:{os.getuid()}")


def read(action: Callable[[Database], Awaitable[T]]) -> T:
    """Run `action` on the open database of the settings. Raises Fault."""
    where = config.load_database()
    schema.require_current(where)

    async def main() -> T:
        async with db.connect(where) as database:
            return await action(database)

    try:
        return asyncio.run(main())
    except errors.DatabaseUnavailable as error:
        why = db.reason(error.__cause__ or error)
        raise errors.Fault(f"The database {where} does not answer: {why}.") from error


def write(action: Callable[[Transaction], Awaitable[T]]) -> T:
    """Run `action` in one transaction. Raises Fault."""

    async def main(database: Database) -> T:
        async with database.transaction() as tx:
            return await action(tx)

    return read(main)
