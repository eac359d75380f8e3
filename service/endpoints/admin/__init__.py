"""The REST API for users, roles and the audit: `/api/`, `/api/v1/…`."""

from service.endpoints.admin import audit, roles, users

ROUTES = (*users.ROUTES, *roles.ROUTES, *audit.ROUTES)
