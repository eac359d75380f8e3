"""`/admin/users/{id}/accounts`: the accounts at providers that sign a user in."""

from collections.abc import Mapping

from aiohttp import web

from service import bodies, context, errors, identities, marks, users
from service.endpoints.admin import exchange
from service.endpoints.admin.pages import faults, frame

_PATH = "/admin/users/{id}/accounts"
_EMPTY = {"provider": "", "subject": ""}


@marks.needs(users.MANAGE_USERS)
async def read(request: web.Request) -> web.Response:
    """GET /admin/users/{id}/accounts[?done=]: the accounts, and the form of another one."""
    return await _show(request, _EMPTY, done=frame.only_done(request))


@marks.needs(users.MANAGE_USERS)
async def link(request: web.Request) -> web.Response:
    """POST /admin/users/{id}/accounts: lets an account at a provider sign a user in."""
    fields = await exchange.form(request)
    try:
        async with context.changing(request) as (tx, by):
            user = await users.require(tx, _id(request))
            account = bodies.identity(bodies.form(fields))
            await identities.link(tx, by, user, account.provider, account.subject)
    except faults.SHOWN as problem:
        typed = {**_EMPTY, **dict(fields)}
        context.call(request).page = await _show(request, typed, said=faults.of(problem))
        raise
    context.log(
        request, "identity_link", user=user["username"], by=by.name, provider=account.provider
    )
    return frame.go_on(f"/admin/users/{user['id']}/accounts", "account-linked")


@marks.needs(users.MANAGE_USERS)
async def unlink(request: web.Request) -> web.Response:
    """POST /admin/users/{id}/accounts/unlink: lets it sign nobody in any more."""
    account = bodies.identity(bodies.form(await exchange.form(request)))
    async with context.changing(request) as (tx, by):
        user = await users.require(tx, _id(request))
        await identities.unlink(tx, by, user, account.provider, account.subject)
    context.log(
        request, "identity_unlink", user=user["username"], by=by.name, provider=account.provider
    )
    return frame.go_on(f"/admin/users/{user['id']}/accounts", "account-unlinked")


async def _show(
    request: web.Request,
    typed: Mapping[str, str],
    *,
    done: str = "",
    said: faults.Faults = faults.NONE,
) -> web.Response:
    database, providers = request.app[context.DATABASE], request.app[context.PROVIDERS]
    user = await users.require(database, _id(request))
    return frame.show(
        request,
        "accounts.html",
        done=done,
        faults=said,
        user=user,
        typed=typed,
        identities=await identities.of_user(database, user["id"]),
        providers=sorted(providers),
    )


def _id(request: web.Request) -> int:
    return exchange.identifier(request, errors.UserNotFound)


ROUTES = (
    web.get(_PATH, read),
    web.post(_PATH, link),
    web.post(f"{_PATH}/unlink", unlink),
)
