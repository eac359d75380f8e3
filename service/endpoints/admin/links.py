"""`/admin/users/{id}/links` and `/admin/invitations`: links with which people get a credential."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from service import errors, schemas, users
from service.credentials import invitations, links
from service.credentials.links import NewLink
from service.endpoints.admin import form_errors, page
from service.endpoints.api import requests
from service.parsing import strict_form
from service.web import access, context, submitted

_USER = "/admin/users/{id}/links"
_PATH = "/admin/invitations"
_EMPTY = {"roles": [], "uses": "1", "expires_in": "3d"}


@access.requires_role(users.MANAGE_USERS)
async def create(request: web.Request) -> web.Response:
    """POST /admin/users/{id}/links: makes a link for a user, and shows it once."""
    purpose = schemas.link_purpose(schemas.form(await submitted.form(request)))
    async with context.changing(request) as (tx, by):
        user = await requests.user(request, tx)
        made = await links.create(tx, by, purpose, user)
    return _show_new(request, made, purpose=purpose, user=user)


@access.requires_role(users.MANAGE_USERS)
async def list_invitations(request: web.Request) -> web.Response:
    """GET /admin/invitations[?done=]: the open invitations, and a form to make one."""
    return await _show(request, _EMPTY, done=page.only_done(request))


@access.requires_role(users.MANAGE_USERS)
async def invite(request: web.Request) -> web.Response:
    """POST /admin/invitations: makes an open invitation, and shows its link once."""
    fields = await submitted.form(request)
    try:
        async with context.changing(request) as (tx, by):
            wanted = schemas.invitation(schemas.form(fields), await users.role_ids(tx))
            _, made = await invitations.create(tx, by, wanted)
    except form_errors.SHOWN as problem:
        problem.page = await _show(request, _typed(fields), faults=form_errors.of(problem))
        raise
    return _show_new(request, made, purpose="open", user=None)


@access.requires_role(users.MANAGE_USERS)
async def revoke(request: web.Request) -> web.Response:
    """POST /admin/invitations/{id}/revoke: revokes an open invitation."""
    schemas.nothing(schemas.form(await submitted.form(request)))
    invitation_id = requests.identifier(request, errors.InvitationNotFound)
    async with context.changing(request) as (tx, by):
        await invitations.revoke(tx, by, invitation_id)
    return page.go_on(_PATH, "invitation-revoked")


def _show_new(
    request: web.Request, made: NewLink, *, purpose: links.Purpose, user: users.User | None
) -> web.Response:
    """Show a new link. It is not stored, so there is no redirect to a page that shows it."""
    return page.show(
        request,
        "new_link.html",
        url=made.url(request.app[context.CONFIG].public_url),
        expires_at=made.expires_at,
        purpose=purpose,
        user=user,
    )


async def _show(
    request: web.Request,
    typed: Mapping[str, Any],
    *,
    done: str = "",
    faults: form_errors.Faults = form_errors.NONE,
) -> web.Response:
    database = request.app[context.DATABASE]
    return page.show(
        request,
        "invitations.html",
        done=done,
        faults=faults,
        typed=typed,
        roles=sorted(await users.role_ids(database)),
        invitations=await invitations.list_open(database),
    )


def _typed(fields: strict_form.Fields) -> dict[str, Any]:
    """Return the submitted values, valid or not."""
    last = dict(fields)
    return {
        "uses": last.get("uses", ""),
        "expires_in": last.get("expires_in", ""),
        "roles": sorted({value for name, value in fields if name == "roles"}),
    }


ROUTES = (
    web.post(_USER, create),
    web.get(_PATH, list_invitations),
    web.post(_PATH, invite),
    web.post(f"{_PATH}/{{id}}/revoke", revoke),
)
