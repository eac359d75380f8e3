"""The HTML pages `/` and `/auth/login`, and static files."""

from urllib.parse import urlencode

from aiohttp import web

from service import session
from service.config import Config
from service.parsing import client_address, dates, urls
from service.providers import registry
from service.providers.registry import LoginOption
from service.users import seeds
from service.web import access, context, responses


@access.public
async def home(request: web.Request) -> web.Response:
    """GET /: the caller and the session; for signed-out callers the sign-in page."""
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
    """GET /auth/login[?next=]: the sign-in page, or a redirect to `next` for signed-in callers.

    If `next` is too long to come back to, or with `too_long=1`, the page says so.

    After a link on another site to a protected page, the browser does not send the `Strict` cookie,
    even if the user is signed in. So a page of ours redirects here again with `landed=1`, and the
    browser sends the cookie. Only this second request redirects to `next`, to avoid loops.

    With SIGN_IN_REDIRECT, signed-out callers are redirected to the only provider, except by a link
    with `choose`. With `prompt=select_account`, the providers let the user choose another account.
    """
    if client_address.is_forwarded(request.headers.keys()):
        context.is_trusted_proxy(request)  # logs a warning if not
    location = session.next_address(request)
    given = request.query.getall("too_long", [])
    too_long = session.next_is_too_long(request) or given == ["1"]
    choose = request.query.getall("prompt", []) == [registry.CHOOSE_ACCOUNT["prompt"]]
    if session.withholds_cookie(request):
        chosen = registry.CHOOSE_ACCOUNT if choose else {}
        more = {**({"too_long": "1"} if too_long else {}), **chosen}
        again = f"/auth/login?{urlencode({'next': location, 'landed': '1', **more})}"
        return responses.page(request, "moving.html", location=again)
    has_landed = request.query.getall("landed", []) == ["1"] and location != urls.HOME
    claims = await session.authenticate_optional(request)
    if has_landed and claims is not None and not choose:
        return responses.redirect(location)
    only = _only_provider(request)
    if claims is None and only is not None and not too_long and "choose" not in request.query:
        return responses.redirect(_start(only, location, choose=choose))
    return await _ways_in(request, location=location, too_long=too_long, choose=choose)


@access.public
async def asset(request: web.Request) -> web.Response:
    """GET /static/{name}: a static file."""
    found = request.app[context.TEMPLATES].assets.get(request.match_info["name"])
    return await responses.asset(request, found)


async def _ways_in(
    request: web.Request, *, location: str, too_long: bool = False, choose: bool = False
) -> web.Response:
    claims = await session.authenticate_optional(request)
    return responses.page(
        request,
        "login.html",
        providers=_providers(request, location, choose=choose or claims is not None),
        demo_users=await _demo_users(request, location),
        bypass=request.app[context.CONFIG].bypass_auth,
        drops_cookie=_may_drop_cookie(request.app[context.CONFIG]),
        development=request.app[context.CONFIG].environment == "development",
        claims=claims,
        too_long=too_long,
    )


def _may_drop_cookie(config: Config) -> bool:
    """Return whether some browsers drop the cookie: `Secure`, over http."""
    return config.cookie_secure and config.public_url.startswith("http://")


def _only_provider(request: web.Request) -> LoginOption | None:
    """Return the provider to redirect to, if that is on and there is no other way to sign in."""
    config, providers = request.app[context.CONFIG], request.app[context.PROVIDERS]
    if not config.sign_in_redirect or config.bypass_auth or len(providers) != 1:
        return None
    (only,) = providers.values()
    return only


def _providers(request: web.Request, location: str, *, choose: bool) -> list[dict[str, str]]:
    """Return the labels and links of the enabled providers.

    With `choose`, they let the user choose another account: the provider would return the same one.
    """
    return [
        {"label": provider.label, "link": _start(provider, location, choose=choose)}
        for provider in request.app[context.PROVIDERS].values()
    ]


def _start(provider: LoginOption, location: str, *, choose: bool) -> str:
    """Return the URL of a sign-in. With `choose`, the user can choose another account there."""
    query = {"next": location, **(registry.CHOOSE_ACCOUNT if choose else {})}
    return f"{provider.start}?{urlencode(query)}"


async def _demo_users(request: web.Request, location: str) -> list[dict[str, str]]:
    """Return names, roles and links of the demo users for the bypass."""
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
    """Return a duration as text, with its two largest units."""
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    parts = (days, "d"), (hours % 24, "h"), (0 if days else minutes % 60, "min")
    return " ".join(f"{count} {unit}" for count, unit in parts if count) or "less than a minute"


ROUTES = (
    web.get("/", home),
    web.get("/auth/login", login),
    web.get("/static/{name}", asset),
)
