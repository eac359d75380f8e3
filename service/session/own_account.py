"""Change the caller's own account."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from aiohttp import web

from service import errors, users
from service.audit import Actor
from service.db import Transaction
from service.revocation import events
from service.users import User
from service.web import context


class Change(NamedTuple):
    """A transaction in which a caller changes their own account."""

    tx: Transaction
    by: Actor
    user: User


@asynccontextmanager
async def changing(request: web.Request) -> AsyncIterator[Change]:
    """Change the caller's own account in a transaction.

    Raises Unauthenticated if the session has ended while this waited for its turn.
    """
    claims = context.identity(request)
    async with context.writing(request) as tx:
        request.app[context.TOKENS].verify(context.request_info(request).token)
        user = await users.find_by_id(tx, claims["id"])
        if user is None or user["disabled"] or await events.is_revoked(tx, claims):
            raise errors.TokenRevoked
        yield Change(tx, context.actor(request), user)
