"""The admin pages: `/admin…`. They work without JavaScript."""

from service.endpoints.admin import audit, delete, identities, roles, user_form, user_list

ROUTES = (
    *user_list.ROUTES,
    *user_form.ROUTES,
    *identities.ROUTES,
    *delete.ROUTES,
    *roles.ROUTES,
    *audit.ROUTES,
)
