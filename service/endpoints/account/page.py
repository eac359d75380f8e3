"""The page `/account`: the caller's name and roles, ways to sign in, and sessions."""

from typing import NamedTuple

from aiohttp import web

from service import errors, users
from service.config import Config
from service.credentials import passkeys, passwords
from service.db import Database
from service.providers import identities
from service.web import context, responses

_DONE = {
    "password-set": "The password was saved. All other sessions have ended.",
}


class _Way(NamedTuple):
    """A way to sign in: its name, its state, and the page where one changes it."""

    name: str
    state: str
    page: str


async def show(request: web.Request) -> web.Response:
    """GET /account[?done=]: one's own account."""
    config, database = request.app[context.CONFIG], request.app[context.DATABASE]
    user = await users.find_by_id(database, context.identity(request)["id"])
    if user is None:
        raise errors.TokenRevoked
    done = request.query.getall("done", [])
    return responses.page(
        request,
        "account/account.html",
        claims=context.identity(request),
        user=user,
        done=_DONE.get(done[0], "") if len(done) == 1 else "",
        ways=[way for way in await _ways(config, database, user) if way.page in _pages(request)],
        identities=[
            (_provider_name(request, each["provider"]), each["subject"])
            for each in await identities.of_user(database, user["id"])
        ],
        manages=any(role["role"] == users.MANAGE_USERS for role in user["roles"]),
    )


async def _ways(config: Config, database: Database, user: users.User) -> list[_Way]:
    """Return the ways that are on, with the state of the user's credentials."""
    ways = []
    if config.password_auth:
        phc = await passwords.find(database, user["id"])
        ways.append(_Way("Password", "not set" if phc is None else "set", "/account/password"))
    if config.offers_passkeys:
        count = len(await passkeys.of_user(database, user["id"]))
        ways.append(_Way("Passkeys", str(count) if count else "none", "/account/passkeys"))
    return ways


def _pages(request: web.Request) -> set[str]:
    """Return the paths that exist in this configuration."""
    return {resource.canonical for resource in request.app.router.resources()}


def _provider_name(request: web.Request, provider: str) -> str:
    """Return the name on the provider's button, or its short name if it is off."""
    option = request.app[context.PROVIDERS].get(provider)
    return provider if option is None else option.label


ROUTES = (web.get("/account", show),)
