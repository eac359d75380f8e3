"""The sign-in page: all methods that are on."""

from urllib.parse import urlencode

from aiohttp import web

from service.parsing import urls
from service.tokens.claims import Claims
from service.users import seeds
from service.web import context, responses, scripts


async def show(
    request: web.Request,
    *,
    location: str,
    claims: Claims | None = None,
    too_long: bool = False,
    username: str = "",
    fault: str = "",
) -> web.Response:
    """Return the sign-in page, which leads to `location`.

    `claims` are those of a signed-in caller. With `too_long`, the page says that the link is too
    long to come back to. After a failed attempt, `username` is what was typed, and `fault` the
    message.
    """
    config = request.app[context.CONFIG]
    return responses.page(
        request,
        "login.html",
        headers=scripts.policy(config) if config.offers_passkeys else None,
        location="" if location == urls.HOME else location,
        password=config.password_auth,
        passkeys=config.offers_passkeys,
        username=username,
        fault=fault,
        providers=_providers(request, location),
        demo_users=await _demo_users(request, location),
        bypass=config.bypass_auth,
        development=config.environment == "development",
        claims=claims,
        too_long=too_long,
    )


def _providers(request: web.Request, location: str) -> list[dict[str, str]]:
    """Return the labels and links of the enabled providers."""
    query = urlencode({"next": location})
    return [
        {"label": provider.label, "link": f"{provider.start}?{query}"}
        for provider in request.app[context.PROVIDERS].values()
    ]


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
