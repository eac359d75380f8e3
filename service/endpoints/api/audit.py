"""`/api/v1/audit`."""

from aiohttp import web

from service import audit, schemas, users
from service.endpoints.api import requests
from service.web import access, context


@access.requires_role(users.MANAGE_USERS)
async def list_entries(request: web.Request) -> web.Response:
    """GET /api/v1/audit[?limit=][&cursor=][&user=][&action=]: the audit log, newest first."""
    query = requests.parameters(request, schemas.audit_query)
    rows = await audit.page(
        request.app[context.DATABASE],
        limit=query.limit + 1,
        before=query.before,
        user=query.user,
        action=query.action,
    )
    shown = rows[: query.limit]
    after = ("audit", shown[-1]["id"]) if len(rows) > query.limit else None
    return requests.page(request, shown, after)


ROUTES = (web.get("/api/v1/audit", list_entries),)
