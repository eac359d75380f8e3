"""The caller's own account: `/auth/me`, `/auth/logout`."""

from aiohttp import web

from service import session
from service.web import access, context, responses


async def me(request: web.Request) -> web.Response:
    """GET /auth/me: the caller, from the token."""
    return responses.json(session.caller(context.identity(request)))


@access.public
async def sign_out(request: web.Request) -> web.Response:
    """POST /auth/logout[?next=][&everywhere=true]: signs out."""
    everywhere = request.query.getall("everywhere", [])
    return await session.sign_out(request, everywhere=everywhere == ["true"])


@access.public
async def sign_out_by_link(request: web.Request) -> web.Response:
    """GET /auth/logout[?next=]: ends this session for a navigation in a tab.

    Requests from other sites, of images, frames, scripts and prefetches, and with `everywhere`
    change nothing: the response is a page with a button.
    """
    by_another_site = session.site(request) == "cross-site"
    everywhere = request.query.getall("everywhere", [])
    if by_another_site or everywhere or not session.is_top_navigation(request):
        ends_all = everywhere == ["true"]
        return responses.page(
            request,
            "logout.html",
            location=session.next_address(request),
            everywhere=ends_all,
            nothing_to_end=ends_all and await session.is_signed_out(request),
            by_another_site=by_another_site,
        )
    return await session.sign_out(request)


ROUTES = (
    web.get("/auth/me", me),
    web.get("/auth/logout", sign_out_by_link, allow_head=False),
    web.post("/auth/logout", sign_out),
)
