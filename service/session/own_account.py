"""Changes that callers make to their own account."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from service import errors, users
from service.audit import Actor
from service.db import Transaction
from service.revocation import events
from service.users import User
from service.web import context


@asynccontextmanager
async def changing(request: web.Request) -> AsyncIterator[tuple[Transaction, Actor, User]]:
    """Change the caller's account in a transaction, in which the session is still active.

    Raises Unauthenticated.
    """
    claims = context.identity(request)
    async with context.writing(request) as tx:
        request.app[context.TOKENS].verify(context.request_info(request).token)
        user = await users.find_by_id(tx, claims["id"])
        if user is None or user["disabled"] or await events.is_revoked(tx, claims):
            raise errors.TokenRevoked
        yield tx, context.actor(request), user
