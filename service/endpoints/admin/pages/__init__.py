"""The admin pages: `/admin…`, which need no script and are quicker with one."""

from service.endpoints.admin.pages import accounts, audit, deleting, listing, roles, users

ROUTES = (
    *listing.ROUTES,
    *users.ROUTES,
    *accounts.ROUTES,
    *deleting.ROUTES,
    *roles.ROUTES,
    *audit.ROUTES,
)
