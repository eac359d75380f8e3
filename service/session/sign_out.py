"""End sessions, also at the provider."""

from urllib.parse import urljoin

from aiohttp import web
from multidict import CIMultiDict

from service import errors, users
from service.parsing import urls
from service.providers import sessions
from service.providers.sessions import ProviderSession
from service.session import cookie, loop_guard
from service.session.authenticate import authenticate_all
from service.session.browser import next_address, sends_cookie
from service.telemetry import logs
from service.tokens.claims import Claims
from service.web import accept, context

MOST_BACK = 2_048
"""The maximum length of the URL to which a CAS server leads back after signing out there."""


async def sign_out(request: web.Request, *, everywhere: bool = False) -> web.Response:
    """End the session and all its tokens, clear the cookie and redirect to `next`.

    If a request has several valid tokens, all their sessions end. With `everywhere`, end all
    sessions of the user. Raises DatabaseUnavailable; then the session
    and the cookie remain.
    """
    location = next_address(request)
    came_from = None
    for claims in await authenticate_all(request):
        came_from = await _provider_session(request, claims) or came_from
        await _end(request, claims, everywhere=everywhere)
    if came_from is not None:
        location = await _by_way_of(request, came_from, location)
    clears = request.method != "GET" or sends_cookie(request)
    headers = cookie.set_cookie(request, "", 0) if clears else CIMultiDict()
    if any(loop_guard.NAME in line for line in request.headers.getall("Cookie", ())):
        secure = request.app[context.CONFIG].cookie_secure
        headers.add("Set-Cookie", loop_guard.clear(secure=secure))
    page = "leaving.html" if _is_stopped_by_policy(request, location) else None
    return cookie.redirect(request, location, headers, page=page)


async def _end(request: web.Request, claims: Claims, *, everywhere: bool) -> None:
    """End a session, or all sessions of its user. Raises DatabaseUnavailable."""
    async with context.writing(request) as tx:
        is_new = (
            await users.sign_out_by_token(tx, context.actor(request, claims), claims)
            if everywhere
            else await sessions.end_own(tx, claims["sid"], claims["exp"])
        )
    if is_new:
        scope = "everywhere" if everywhere else "session"
        context.log(request, "sign_out", user=claims["username"], sid=claims["sid"], scope=scope)


async def _provider_session(request: web.Request, claims: Claims) -> ProviderSession | None:
    """Return the provider's session of this session, or None."""
    if not request.app[context.PROVIDERS]:
        return None
    return await sessions.for_session(request.app[context.DATABASE], claims["sid"])


async def _by_way_of(request: web.Request, came_from: ProviderSession, location: str) -> str:
    """Return the URL of the provider's sign-out, or `location` if there is none."""
    provider = request.app[context.PROVIDERS].get(came_from.provider)
    if provider is None:
        return location
    back = urljoin(request.app[context.CONFIG].public_url, location)
    if len(back) > MOST_BACK:
        back = request.app[context.CONFIG].public_url + urls.HOME
    try:
        return await provider.leave(came_from, back) or location
    except errors.Problem as problem:
        reason = None if problem.__cause__ is None else repr(problem.__cause__)
        context.log(
            request, "provider_not_left", level=logs.WARNING, code=problem.code, reason=reason
        )
        return location


def _is_stopped_by_policy(request: web.Request, location: str) -> bool:
    """Return whether our form-action policy stops a browser from following a redirect.

    Links are not restricted. OpenID providers are not in the policy, as they redirect to other
    sites.
    """
    if request.method != "POST" or location.startswith("/"):
        return False
    config = request.app[context.CONFIG]
    is_listed = urls.origin_of(location) in {config.public_url, *config.form_origins}
    return not is_listed and accept.prefers_html(request.headers)
