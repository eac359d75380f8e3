"""The pages for people: `/`, `/auth/login`, and the files that they refer to."""

from urllib.parse import urlencode

from aiohttp import web

from service import session
from service.parsing import dates, urls
from service.users import seeds
from service.web import access, context, responses


@access.public
async def home(request: web.Request) -> web.Response:
    """GET /: who you are; signed out, the ways in."""
    claims = await session.authenticate_optional(request)
    if claims is None:
        return await _ways_in(request, location="/")
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
    """GET /auth/login[?next=]: the ways in, or on to `next` for somebody who is signed in already.

    Whoever follows a link of another site to a protected page comes here without the `Strict`
    cookie, signed in or not. A page of ours that moves on by itself asks again, `landed=1`: now the
    browser sends the cookie. Nobody is led on but from there, so that nothing can go in circles.
    """
    location = session.next_address(request)
    if session.withholds_cookie(request):
        again = f"/auth/login?{urlencode({'next': location, 'landed': '1'})}"
        return responses.page(request, "moving.html", location=again)
    has_landed = request.query.getall("landed", []) == ["1"] and location != urls.HOME
    if has_landed and await session.authenticate_optional(request) is not None:
        return responses.redirect(location)
    return await _ways_in(request, location=location)


@access.public
async def asset(request: web.Request) -> web.Response:
    """GET /static/{name}: a file of the pages."""
    found = request.app[context.TEMPLATES].assets.get(request.match_info["name"])
    return await responses.asset(request, found)


async def _ways_in(request: web.Request, *, location: str) -> web.Response:
    return responses.page(
        request,
        "login.html",
        providers=_providers(request, location),
        demo_users=await _demo_users(request, location),
        bypass=request.app[context.CONFIG].bypass_auth,
        development=request.app[context.CONFIG].environment == "development",
        claims=await session.authenticate_optional(request),
    )


def _providers(request: web.Request, location: str) -> list[dict[str, str]]:
    """Return label and link of the providers that one can sign in at."""
    query = urlencode({"next": location})
    return [
        {"label": provider.label, "link": f"{provider.start}?{query}"}
        for provider in request.app[context.PROVIDERS].values()
    ]


async def _demo_users(request: web.Request, location: str) -> list[dict[str, str]]:
    """Return name, roles and link of the demo users that can sign in by bypass."""
    if not request.app[context.CONFIG].bypass_auth:
        return []
    async with request.app[context.LOOKUPS]:
        found = await seeds.demo_users(request.app[context.DATABASE])
    return [
        {
            "username": user["username"],
            "roles": ", ".join(role["role"] for role in user["roles"]),
            "link": f"/auth/bypass?{urlencode({'token': user['username'], 'next': location})}",
        }
        for user in found
    ]


def _in_words(seconds: int) -> str:
    """Say a duration as a person would: the two largest units."""
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    parts = (days, "d"), (hours % 24, "h"), (0 if days else minutes % 60, "min")
    return " ".join(f"{count} {unit}" for count, unit in parts if count) or "less than a minute"


ROUTES = (
    web.get("/", home),
    web.get("/auth/login", login),
    web.get("/static/{name}", asset),
)
