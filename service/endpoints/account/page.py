"""The page `/account`: the caller's name and roles, ways to sign in, and sessions."""

from aiohttp import web

from service import errors, users
from service.providers import identities
from service.session import way_states
from service.web import context, responses

_DONE = {
    "password-set": "The password was saved. All other sessions have ended.",
}


async def show(request: web.Request) -> web.Response:
    """GET /account[?done=]: one's own account."""
    database, claims = request.app[context.DATABASE], context.identity(request)
    user = await users.find_by_id(database, claims["id"])
    if user is None:
        raise errors.TokenRevoked
    done = request.query.getall("done", [])
    return responses.page(
        request,
        "account/account.html",
        user=user,
        done=_DONE.get(done[0], "") if len(done) == 1 else "",
        ways=await way_states.of_user(request, user["id"]),
        identities=[
            (_provider_name(request, each["provider"]), each["subject"])
            for each in await identities.of_user(database, user["id"])
        ],
    )


def _provider_name(request: web.Request, provider: str) -> str:
    """Return the name on the provider's button, or its short name if it is off."""
    option = request.app[context.PROVIDERS].get(provider)
    return provider if option is None else option.label


ROUTES = (web.get("/account", show),)
