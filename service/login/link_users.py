"""What a link sets, and for which user."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from aiohttp import web

from service import errors, users
from service.audit import Actor
from service.credentials.links import Link
from service.db import Transaction
from service.users import User
from service.web import context

Save = Callable[[Transaction, Actor, User], Awaitable[bool]]
"""Saves a credential of a user. Returns whether it replaces one, which ends the user's sessions."""


class Chosen(NamedTuple):
    """The credential that a link sets, and the user name, of a new user if the link creates one."""

    username: str
    save: Save
    amr: tuple[str, ...]


async def username(request: web.Request, link: Link, given: str | None) -> str:
    """Return the name of the user of a link, or the free name `given` of a new user.

    Raises ValidationError, UsernameTaken.
    """
    if link.user is None:
        name = given or ""
        async with request.app[context.LOOKUPS]:
            found = await users.find_by_username(request.app[context.DATABASE], name)
        if found is not None:
            raise errors.UsernameTaken
        return name
    if given not in {None, link.user["username"]}:
        raise fault("username", "must be the user of the link, or left out")
    return link.user["username"]


def fault(attribute: str, message: str) -> errors.ValidationError:
    """Return the error of one invalid member."""
    return errors.ValidationError(errors=[{"attribute": attribute, "message": message}])
