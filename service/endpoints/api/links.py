"""`/api/v1/users/{id}/links` and `/api/v1/invitations`: links for people without credentials."""

from typing import Any, cast

from aiohttp import web

from service import errors, schemas, users
from service.credentials import invitations, links
from service.endpoints.api import requests
from service.web import access, context, responses, submitted

_USER = "/api/v1/users/{id}/links"
_INVITATIONS = "/api/v1/invitations"


@access.requires_role(users.MANAGE_USERS)
async def create(request: web.Request) -> web.Response:
    """POST /api/v1/users/{id}/links: makes an invite or a reset for a user."""
    purpose = schemas.link_purpose(await submitted.json(request))
    async with context.changing(request) as (tx, by):
        made = await links.create(tx, by, purpose, await requests.user(request, tx))
    url = made.url(request.app[context.CONFIG].public_url)
    return responses.json({"url": url, "expires_at": made.expires_at}, status=201)


@access.requires_role(users.MANAGE_USERS)
async def list_invitations(request: web.Request) -> web.Response:
    """GET /api/v1/invitations: the open invitations, without their links."""
    requests.parameters(request, schemas.nothing)
    return responses.json(await invitations.list_open(request.app[context.DATABASE]))


@access.requires_role(users.MANAGE_USERS)
async def invite(request: web.Request) -> web.Response:
    """POST /api/v1/invitations: makes an open invitation. Its link is shown once."""
    body = await submitted.json(request)
    database = request.app[context.DATABASE]
    wanted = schemas.invitation(body, await users.role_ids(database))
    async with context.changing(request) as (tx, by):
        invitation, made = await invitations.create(tx, by, wanted)
    url = made.url(request.app[context.CONFIG].public_url)
    return responses.json({**cast("dict[str, Any]", invitation), "url": url}, status=201)


@access.requires_role(users.MANAGE_USERS)
async def revoke(request: web.Request) -> web.Response:
    """DELETE /api/v1/invitations/{id}: revokes an open invitation. Its users stay."""
    invitation_id = requests.identifier(request, errors.InvitationNotFound)
    async with context.changing(request) as (tx, by):
        await invitations.revoke(tx, by, invitation_id)
    return web.Response(status=204)


ROUTES = (
    web.post(_USER, create),
    web.get(_INVITATIONS, list_invitations),
    web.post(_INVITATIONS, invite),
    web.delete(f"{_INVITATIONS}/{{id}}", revoke),
)
