"""`/api/v1/audit`."""

from aiohttp import web

from service import audit, schemas, users
from service.endpoints.api import requests
from service.web import access, context


@access.requires_role(users.MANAGE_USERS)
async def list_entries(request: web.Request) -> web.Response:
    """GET /api/v1/audit[?limit=][&cursor=][&user=][&action=]: the audit log, newest first."""
    query = requests.parameters(request, schemas.audit_query)
    entries, before = await audit.page(request.app[context.DATABASE], query)
    return requests.page(request, entries, None if before is None else ("audit", before))


ROUTES = (web.get("/api/v1/audit", list_entries),)
