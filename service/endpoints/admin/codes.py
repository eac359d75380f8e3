"""`/admin/users/{id}/totp-reset`: removes the one-time codes of a user."""

from aiohttp import web

from service import schemas, users
from service.credentials import totp
from service.endpoints.admin import page
from service.endpoints.api import requests
from service.web import access, context, submitted


@access.requires_role(users.MANAGE_USERS)
async def reset(request: web.Request) -> web.Response:
    """POST /admin/users/{id}/totp-reset: removes one-time codes, and ends all sessions."""
    schemas.nothing(schemas.form(await submitted.form(request)))
    async with context.changing(request) as (tx, by):
        user = await requests.user(request, tx)
        if await totp.delete(tx, by, user):
            await users.sign_out(tx, by, user["id"])
    return page.go_on(f"/admin/users/{user['id']}", "user-totp-reset")


ROUTES = (web.post("/admin/users/{id}/totp-reset", reset),)
