"""`/admin/users/{id}/accounts`: the accounts at providers that sign a user in."""

from collections.abc import Mapping

from aiohttp import web

from service import bodies, context, identities, marks, users
from service.endpoints.admin import exchange, linking
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
        user, *_ = await linking.link(request, bodies.identity(bodies.form(fields)))
    except faults.SHOWN as problem:
        typed = {**_EMPTY, **dict(fields)}
        context.call(request).page = await _show(request, typed, said=faults.of(problem))
        raise
    return frame.go_on(f"/admin/users/{user['id']}/accounts", "account-linked")


@marks.needs(users.MANAGE_USERS)
async def unlink(request: web.Request) -> web.Response:
    """POST /admin/users/{id}/accounts/unlink: lets it sign nobody in any more."""
    account = bodies.identity(bodies.form(await exchange.form(request)))
    user = await linking.unlink(request, account)
    return frame.go_on(f"/admin/users/{user['id']}/accounts", "account-unlinked")


async def _show(
    request: web.Request,
    typed: Mapping[str, str],
    *,
    done: str = "",
    said: faults.Faults = faults.NONE,
) -> web.Response:
    database, providers = request.app[context.DATABASE], request.app[context.PROVIDERS]
    user = await exchange.user(request, database)
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


ROUTES = (
    web.get(_PATH, read),
    web.post(_PATH, link),
    web.post(f"{_PATH}/unlink", unlink),
)
