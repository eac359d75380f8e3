"""The HTML pages `/` and `/auth/login`, and static files."""

from urllib.parse import urlencode

from aiohttp import web

from service import session
from service.parsing import client_address, dates, urls
from service.providers.registry import CHOOSE_ACCOUNT, LoginOption
from service.web import access, context, responses, sign_in_page


@access.public
async def home(request: web.Request) -> web.Response:
    """GET /: the caller and the session; for signed-out callers the sign-in page."""
    claims = await session.authenticate_optional(request)
    if claims is None:
        return await sign_in_page.show(request, location="/")
    config = request.app[context.CONFIG]
    now = request.app[context.TOKENS].now()
    return responses.page(
        request,
        "home.html",
        claims=claims,
        method=session.caller(claims)["method"],
        ends_at=dates.rfc3339(claims["exp"]),
        ends_in=_in_words(claims["exp"] - now),
        public_url=config.public_url,
        by_bypass=config.bypass_auth and claims["amr"] == ["bypass"],
    )


@access.public
async def login(request: web.Request) -> web.Response:
    """GET /auth/login[?next=]: the sign-in page, or a redirect to `next` for signed-in callers.

    If `next` is too long to come back to, or with `too_long=1`, the page says so. With `again=1`,
    it asks signed-in callers to sign in again.

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
    choose = request.query.getall("prompt", []) == [CHOOSE_ACCOUNT["prompt"]]
    if session.withholds_cookie(request):
        chosen = CHOOSE_ACCOUNT if choose else {}
        more = {**({"too_long": "1"} if too_long else {}), **chosen}
        again = f"/auth/login?{urlencode({'next': location, 'landed': '1', **more})}"
        return responses.page(request, "moving.html", location=again)
    has_landed = request.query.getall("landed", []) == ["1"] and location != urls.HOME
    claims = await session.authenticate_optional(request)
    if has_landed and claims is not None and not choose:
        return responses.redirect(location)
    only = _only_provider(request)
    if claims is None and only is not None and not too_long and "choose" not in request.query:
        return responses.redirect(sign_in_page.start_url(only, location, choose=choose))
    is_again = request.query.getall("again", []) == ["1"]
    return await sign_in_page.show(
        request,
        location=location,
        claims=claims,
        too_long=too_long,
        again=is_again,
        choose=choose,
    )


@access.public
async def asset(request: web.Request) -> web.Response:
    """GET /static/{name}: a static file."""
    found = request.app[context.TEMPLATES].assets.get(request.match_info["name"])
    return await responses.asset(request, found)


def _only_provider(request: web.Request) -> LoginOption | None:
    """Return the provider to redirect to, if that is on and there is no other way to sign in."""
    config, providers = request.app[context.CONFIG], request.app[context.PROVIDERS]
    is_other = config.bypass_auth or config.password_auth or config.offers_passkeys
    if not config.sign_in_redirect or is_other or len(providers) != 1:
        return None
    (only,) = providers.values()
    return only


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
