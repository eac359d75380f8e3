"""The caller's own account: `/auth/me`, `/auth/logout`."""

from aiohttp import web

from service import context, marks, session


async def me(request: web.Request) -> web.Response:
    """GET /auth/me: the caller, as the token has it."""
    claims = context.identity(request)
    return context.json_response(
        {
            "id": claims["id"],
            "username": claims["username"],
            "roles": claims["roles"],
            "expires_at": context.rfc3339(claims["exp"]),
            "method": claims["amr"][0],
        }
    )


@marks.public
async def sign_out(request: web.Request) -> web.Response:
    """POST /auth/logout[?next=][&everywhere=true]: signs out."""
    everywhere = request.query.getall("everywhere", [])
    return await session.sign_out(request, everywhere=everywhere == ["true"])


@marks.public
async def sign_out_by_link(request: web.Request) -> web.Response:
    """GET /auth/logout[?next=][&everywhere=true]: signs out, but not at another site's bidding."""
    if (
        session.came_from_another_site(request)
        or session.has_foreign_origin(request)
        or session.is_prefetch(request)
    ):
        page = request.app[context.VIEWS].render(
            "logout.html",
            location=session.next_address(request),
            everywhere=request.query.getall("everywhere", []) == ["true"],
        )
        return web.Response(text=page, content_type="text/html")
    return await sign_out(request)


ROUTES = (
    web.get("/auth/me", me),
    web.get("/auth/logout", sign_out_by_link, allow_head=False),
    web.post("/auth/logout", sign_out),
)
