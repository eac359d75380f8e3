"""`/admin/audit`: the audit log."""

from typing import get_args

from aiohttp import web

from service import audit, errors, schemas, users
from service.endpoints.admin import form_errors, page
from service.web import access, context

_PATH = "/admin/audit"
_FILTERS = ("user", "action")


@access.requires_role(users.MANAGE_USERS)
async def list_entries(request: web.Request) -> web.Response:
    """GET /admin/audit[?user=][&action=][&limit=][&cursor=]: the audit log, newest first."""
    asked = page.Asked({})
    try:
        asked = page.asked(request, blank=_FILTERS)
        query = schemas.audit_query(asked.given)
    except errors.ValidationError as problem:
        problem.page = _show(request, asked, [], faults=form_errors.of(problem))
        raise
    entries, before = await audit.page(request.app[context.DATABASE], query)
    more = None if before is None else schemas.cursor("audit", before)
    return _show(request, asked, entries, more=more)


def _show(
    request: web.Request,
    asked: page.Asked,
    entries: list[audit.Entry],
    *,
    more: str | None = None,
    faults: form_errors.Faults = form_errors.NONE,
) -> web.Response:
    return page.show(
        request,
        "audit.html",
        faults=faults,
        asked=asked,
        entries=entries,
        actions=get_args(audit.Action),
        more=None if more is None else asked.link(_PATH, cursor=more),
        start=asked.link(_PATH, cursor=None) if asked.given.get("cursor") else None,
    )


ROUTES = (web.get(_PATH, list_entries),)
