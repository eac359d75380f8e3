"""An account at a provider is let sign a user in, or no longer: by the API, and on the page."""

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
    """Return the user of the path, the identity, and whether linking it was a change.

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
    """Return the user of the path. Raises UserNotFound, RoleMissing, IdentityNotFound."""
    async with context.changing(request) as (tx, by):
        user = await requests.user(request, tx)
        await identities.unlink(tx, by, user, *named)
    context.log(
        request, "identity_unlink", user=user["username"], by=by.name, provider=named.provider
    )
    return user
