"""The HTML pages `/` and `/auth/login`, and static files."""

from urllib.parse import urlencode

from aiohttp import web

from service import session
from service.parsing import dates, urls
from service.web import access, context, responses, sign_in_page


@access.public
async def home(request: web.Request) -> web.Response:
    """GET /: the caller and the session; for signed-out callers the sign-in page."""
    claims = await session.authenticate_optional(request)
    if claims is None:
        return await _sign_in_page(request, location="/")
    config = request.app[context.CONFIG]
    now = request.app[context.TOKENS].now()
    return responses.page(
        request,
        "home.html",
        claims=claims,
        ends_at=dates.rfc3339(claims["exp"]),
        ends_in=_in_words(claims["exp"] - now),
        public_url=config.public_url,
        by_bypass=config.bypass_auth and claims["amr"] == ["bypass"],
    )


@access.public
async def login(request: web.Request) -> web.Response:
    """GET /auth/login[?next=]: the sign-in page, or a redirect to `next` for signed-in callers.

    After a link on another site to a protected page, the browser does not send the `Strict` cookie,
    even if the user is signed in. So a page of ours redirects here again with `landed=1`, and the
    browser sends the cookie. Only this second request redirects to `next`, to avoid loops.
    """
    location = session.next_address(request)
    if session.withholds_cookie(request):
        again = f"/auth/login?{urlencode({'next': location, 'landed': '1'})}"
        return responses.page(request, "moving.html", location=again)
    has_landed = request.query.getall("landed", []) == ["1"] and location != urls.HOME
    if has_landed and await session.authenticate_optional(request) is not None:
        return responses.redirect(location)
    return await _sign_in_page(request, location=location)


@access.public
async def asset(request: web.Request) -> web.Response:
    """GET /static/{name}: a static file."""
    found = request.app[context.TEMPLATES].assets.get(request.match_info["name"])
    return await responses.asset(request, found)


async def _sign_in_page(request: web.Request, *, location: str) -> web.Response:
    claims = await session.authenticate_optional(request)
    return await sign_in_page.show(request, location=location, claims=claims)


def _in_words(seconds: int) -> str:
    """Return a duration as text, with its two largest units."""
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    parts = (days, "d"), (hours % 24, "h"), (0 if days else minutes % 60, "min")
    return " ".join(f"{count} {unit}" for count, unit in parts if count) or "less than a minute"


ROUTES = (
    web.get("/", home),
    web.get("/auth/login", login),
    web.get("/static/{name}", asset),
)
