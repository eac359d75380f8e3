"""The sign-in page: all methods that are on."""

from urllib.parse import urlencode

from aiohttp import web

from service import errors
from service.config import Config
from service.parsing import urls
from service.providers import registry
from service.tokens.claims import Claims
from service.users import seeds
from service.web import context, field_faults, responses, scripts

_LABELS = {"username": "The user name", "password": "The password"}


async def show(  # noqa: PLR0913  # what the page may say
    request: web.Request,
    *,
    location: str,
    claims: Claims | None = None,
    too_long: bool = False,
    again: bool = False,
    choose: bool = False,
    username: str = "",
    problem: errors.Problem | None = None,
) -> web.Response:
    """Return the sign-in page, which leads to `location`.

    `claims` are those of a signed-in caller. With `too_long`, the page says that the link is too
    long to come back to, and with `again`, that a signed-in caller must sign in again. With
    `choose`, and for signed-in callers, the providers let the user choose another account. After a
    failed attempt by password, `username` is what was typed, and `problem` says what is wrong.
    """
    config = request.app[context.CONFIG]
    return responses.page(
        request,
        "login.html",
        headers=scripts.policy(config) if config.password_auth or config.offers_passkeys else None,
        location="" if location == urls.HOME else location,
        password=config.password_auth,
        passkeys=config.offers_passkeys,
        username=username or (claims["username"] if again and claims is not None else ""),
        faults=_faults(problem),
        again=again and claims is not None,
        providers=_providers(
            request, location, choose=choose or (claims is not None and not again)
        ),
        demo_users=await _demo_users(request, location),
        bypass=config.bypass_auth,
        drops_cookie=_may_drop_cookie(config),
        development=config.environment == "development",
        claims=claims,
        too_long=too_long,
    )


def start_url(provider: registry.LoginOption, location: str, *, choose: bool) -> str:
    """Return the URL of a sign-in. With `choose`, the user can choose another account there."""
    query = {"next": location, **(registry.CHOOSE_ACCOUNT if choose else {})}
    return f"{provider.start}?{urlencode(query)}"


def _may_drop_cookie(config: Config) -> bool:
    """Return whether some browsers drop the cookie: `Secure`, over http."""
    return config.cookie_secure and config.public_url.startswith("http://")


def _faults(problem: errors.Problem | None) -> field_faults.Faults:
    """Return the messages of the form."""
    if problem is None:
        return field_faults.NONE
    if isinstance(problem, errors.CredentialsInvalid):
        return field_faults.Faults(beside={"password": problem.detail})
    return field_faults.of(problem, _LABELS)


def _providers(request: web.Request, location: str, *, choose: bool) -> list[dict[str, str]]:
    """Return the labels and links of the enabled providers.

    With `choose`, they let the user choose another account: the provider would return the same one.
    """
    return [
        {"label": provider.label, "link": start_url(provider, location, choose=choose)}
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
