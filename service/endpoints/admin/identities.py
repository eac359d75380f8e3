"""`/admin/users/{id}/accounts`: the provider accounts that are linked to a user."""

from collections.abc import Mapping

from aiohttp import web

from service import schemas, users
from service.endpoints.admin import form_errors, page
from service.endpoints.api import requests
from service.providers import identities
from service.web import access, context, submitted

_PATH = "/admin/users/{id}/accounts"
_EMPTY = {"provider": "", "subject": ""}


@access.requires_role(users.MANAGE_USERS)
async def read(request: web.Request) -> web.Response:
    """GET /admin/users/{id}/accounts[?done=]: the linked accounts, and a form to link another."""
    return await _show(request, _EMPTY, done=page.only_done(request))


@access.requires_role(users.MANAGE_USERS)
async def link(request: web.Request) -> web.Response:
    """POST /admin/users/{id}/accounts: links a provider account to a user."""
    fields = await submitted.form(request)
    try:
        account = schemas.identity(schemas.form(fields))
        async with context.changing(request) as (tx, by):
            user = await requests.user(request, tx)
            await identities.link(tx, by, user, *account)
    except form_errors.SHOWN as problem:
        typed = {**_EMPTY, **dict(fields)}
        problem.page = await _show(request, typed, faults=form_errors.of(problem))
        raise
    return page.go_on(f"/admin/users/{user['id']}/accounts", "account-linked")


@access.requires_role(users.MANAGE_USERS)
async def unlink(request: web.Request) -> web.Response:
    """POST /admin/users/{id}/accounts/unlink: unlinks an account; a trusted name signs in."""
    account = schemas.identity(schemas.form(await submitted.form(request)))
    async with context.changing(request) as (tx, by):
        user = await requests.user(request, tx)
        await identities.unlink(tx, by, user, *account)
    return page.go_on(f"/admin/users/{user['id']}/accounts", "account-unlinked")


async def _show(
    request: web.Request,
    typed: Mapping[str, str],
    *,
    done: str = "",
    faults: form_errors.Faults = form_errors.NONE,
) -> web.Response:
    database, providers = request.app[context.DATABASE], request.app[context.PROVIDERS]
    config = request.app[context.CONFIG]
    user = await requests.user(request, database)
    return page.show(
        request,
        "accounts.html",
        done=done,
        faults=faults,
        user=user,
        typed=typed,
        identities=await identities.of_user(database, user["id"]),
        providers=sorted(providers),
        trusts_names=config.cas_url is not None and config.cas_trust_usernames,
    )


ROUTES = (
    web.get(_PATH, read),
    web.post(_PATH, link),
    web.post(f"{_PATH}/unlink", unlink),
)
