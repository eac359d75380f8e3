"""Users, roles and the audit: as a REST API, `/api/v1/…`, and as pages for people, `/admin…`."""

from service.endpoints.admin import audit, identities, pages, roles, users

ROUTES = (
    *users.ROUTES,
    *identities.ROUTES,
    *roles.ROUTES,
    *audit.ROUTES,
    *pages.ROUTES,
)
