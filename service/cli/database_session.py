"""Opening the database for a command."""

import asyncio
import getpass
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from typing import TypeVar

from service import config, db
from service.audit import Actor
from service.db import Database, Transaction
from service.db_tools import schema_state
from service.errors import Fault
from service.system import file_owner

T = TypeVar("T")


def operator() -> Actor:
    """Return the user of the operating system as an actor of the audit log."""
    try:
        return Actor(f"cli:{getpass.getuser()}")
    except (OSError, KeyError):  # no such user on this machine, as in a container
        return Actor(f"cli:{os.getuid()}")


def with_database(action: Callable[[Database], Awaitable[T]]) -> T:
    """Run `action` on the open database of the settings. Raises Fault."""
    where = config.load_database()
    schema_state.require_current(where)

    async def main() -> T:
        async with db.connect(where) as database:
            return await action(database)

    interrupt = signal.getsignal(signal.SIGINT)
    try:
        with db.fault_on_unavailable(where), _rights_for(where):
            return asyncio.run(main())
    except PermissionError as error:
        raise Fault(f"The database {where} cannot be used: {error.strerror}.") from error
    finally:
        signal.signal(signal.SIGINT, interrupt)


def _rights_for(where: config.DatabaseUrl) -> AbstractContextManager[None]:
    """Return a context for SQLite files: root acts with the rights of the folder's owner."""
    return nullcontext() if where.path is None else file_owner.as_owner(where.path)


@asynccontextmanager
async def writing(database: Database) -> AsyncIterator[Transaction]:
    """Write in one transaction. Ignore Ctrl-C from the commit on.

    Otherwise the command could print "nothing was changed" after the commit.
    """
    async with database.transaction() as tx:
        yield tx
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        await asyncio.sleep(0)  # an earlier Ctrl-C takes effect here


def in_transaction(action: Callable[[Transaction], Awaitable[T]]) -> T:
    """Run `action` in one transaction. Raises Fault."""

    async def main(database: Database) -> T:
        async with writing(database) as tx:
            return await action(tx)

    return with_database(main)
