"""The caller's own account."""

from service.endpoints.account import me

ROUTES = me.ROUTES
