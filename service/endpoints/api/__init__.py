"""The REST API: `/api/v1/…`."""

from service.endpoints import admin
from service.endpoints.api import audit, identities, roles, users

ROUTES = (
    *users.ROUTES,
    *identities.ROUTES,
    *roles.ROUTES,
    *audit.ROUTES,
    *admin.ROUTES,
)
