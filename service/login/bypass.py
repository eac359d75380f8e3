"""The development sign-in without a password: `GET /auth/bypass?token=<username>`.

Its route exists only with BYPASS_AUTH, which is refused in production. Its tokens have
`amr: ["bypass"]`, which production rejects, regardless of the key that signed them.
"""

from aiohttp import web

from service import errors, session, users
from service.parsing import client_address, urls
from service.web import access, context


@access.public
async def sign_in(request: web.Request) -> web.Response:
    """GET /auth/bypass?token=<username>[&next=/path]: signs in without a password."""
    _check_caller(request)
    username = _username(request)
    async with request.app[context.LOOKUPS]:
        user = await users.find_by_username(request.app[context.DATABASE], username)
    if user is None or user["disabled"]:
        raise errors.UserUnknown
    return session.sign_in(request, user, amr="bypass")


def _check_caller(request: web.Request) -> None:
    """Reject clients outside BYPASS_NETWORKS, foreign host names and background loads."""
    config = request.app[context.CONFIG]
    headers = request.headers
    caller = context.client(request)
    if client_address.is_forwarded(headers.keys()) and not _is_forwarded_well(request, caller):
        raise errors.BypassRefused
    if not client_address.is_within(caller, config.bypass_networks):
        raise errors.BypassRefused
    if _host(request) != urls.host_of(config.public_url) and client_address.is_rebindable(
        request.host
    ):
        raise errors.HostRefused
    if session.is_background_load(request):
        raise errors.PrefetchRefused


def _is_forwarded_well(request: web.Request, caller: client_address.Address | None) -> bool:
    """Return whether a trusted proxy names one client, without contradicting headers.

    A proxy that sets only another header passes the client's own X-Forwarded-For on.
    """
    headers = request.headers
    real = headers.get("X-Real-IP")
    return (
        client_address.is_within(
            client_address.address(request.remote), request.app[context.CONFIG].trusted_proxies
        )
        and "X-Forwarded-For" in headers
        and "Forwarded" not in headers
        and (real is None or client_address.address(real) == caller)
    )


def _host(request: web.Request) -> str:
    return request.host.partition(":")[0].lower()


def _username(request: web.Request) -> str:
    names = request.query.getall("token", [])
    if len(names) > 1:
        raise errors.UsernameAmbiguous
    if not names or not names[0]:
        raise errors.UsernameMissing
    try:
        return users.normalize_username(names[0])
    except errors.InvalidName as error:
        raise errors.UsernameInvalid(str(error)) from None


ROUTES = (web.get("/auth/bypass", sign_in, allow_head=False),)
