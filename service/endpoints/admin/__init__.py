"""The REST API for users, roles and the audit: `/api/`, `/api/v1/…`."""

from service.endpoints.admin import audit, identities, roles, users

ROUTES = (*users.ROUTES, *identities.ROUTES, *roles.ROUTES, *audit.ROUTES)
