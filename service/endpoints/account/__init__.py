"""The caller's own account."""

from service.endpoints.account import me, page

ROUTES = (*me.ROUTES, *page.ROUTES)
