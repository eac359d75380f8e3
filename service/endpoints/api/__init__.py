"""Users, roles and the audit: as a REST API, `/api/v1/…`, and as pages for people, `/admin…`."""

from service.endpoints import admin
from service.endpoints.api import audit, identities, roles, users

ROUTES = (
    *users.ROUTES,
    *identities.ROUTES,
    *roles.ROUTES,
    *audit.ROUTES,
    *admin.ROUTES,
)
