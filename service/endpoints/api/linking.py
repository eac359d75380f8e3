"""Link and unlink provider accounts, for the API and the admin page."""

from typing import TYPE_CHECKING

from aiohttp import web

from service.db import Row
from service.endpoints.api import requests
from service.providers import identities
from service.users import User
from service.web import context

if TYPE_CHECKING:
    from service import schemas


async def link(request: web.Request, named: "schemas.Identity") -> tuple[User, Row, bool]:
    """Link an identity to the user of the path. Return user, identity, and whether it is new.

    Raises UserNotFound, RoleMissing, IdentityTaken.
    """
    async with context.changing(request) as (tx, by):
        user = await requests.user(request, tx)
        changed = await identities.link(tx, by, user, *named)
        rows = await identities.of_user(tx, user["id"])
    context.log(
        request, "identity_link", user=user["username"], by=by.name, provider=named.provider
    )
    identity = next(row for row in rows if (row["provider"], row["subject"]) == tuple(named))
    return user, identity, changed


async def unlink(request: web.Request, named: "schemas.Identity") -> User:
    """Unlink an identity. Return the user. Raises UserNotFound, RoleMissing, IdentityNotFound."""
    async with context.changing(request) as (tx, by):
        user = await requests.user(request, tx)
        await identities.unlink(tx, by, user, *named)
    context.log(
        request, "identity_unlink", user=user["username"], by=by.name, provider=named.provider
    )
    return user
