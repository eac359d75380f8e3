"""Authenticate requests by bearer token or cookie."""

import contextlib
import re

from aiohttp import web

from service import errors
from service.config import Config
from service.session.browser import may_come_from_another_site, sends_cookie
from service.tokens.claims import Claims
from service.web import context, cookies

_BEARER = re.compile(r"bearer(?: +(.*))?", re.IGNORECASE | re.DOTALL)


def credential(request: web.Request) -> str:
    """Return the caller's token: the bearer token if there is one, else the cookie.

    Raises CredentialsMissing, CookieAmbiguous, AuthorizationAmbiguous.
    """
    token = bearer_token(request)
    return cookie_token(request) if token is None else token


def cookie_token(request: web.Request) -> str:
    """Return the token of the cookie. Raises CredentialsMissing, CookieAmbiguous."""
    name = request.app[context.CONFIG].cookie_name
    try:
        token = cookies.read(request.headers.getall("Cookie", ()), name)
    except errors.CookieAmbiguous:
        raise errors.CookieAmbiguous.named(name) from None
    if token is None:
        raise _missing(request.app[context.CONFIG])
    return token


def _missing(config: Config) -> errors.CredentialsMissing:
    is_over_http = config.public_url.startswith("http://") and not config.production
    has_hint = is_over_http and config.cookie_secure
    return errors.CredentialsMissing(errors.CredentialsMissing.over_http if has_hint else None)


async def authenticate(request: web.Request, token: str) -> Claims:
    """Return the claims of a token with the current name and roles of the user.

    Raises what TokenIssuer.verify and Revocation.check raise.
    """
    app = request.app
    return await app[context.REVOCATION].check(app[context.TOKENS].verify(token))


def require_role(claims: Claims, role: str) -> None:
    """Raise RoleMissing if the caller does not have a role."""
    if all(held["role"] != role for held in claims["roles"]):
        raise errors.RoleMissing(role)


async def authenticate_optional(request: web.Request) -> Claims | None:
    """Return the caller's claims, or None for a missing or invalid credential. For open pages."""
    try:
        return await authenticate(request, credential(request))
    except errors.Unauthenticated:
        return None


async def authenticate_all(request: web.Request) -> list[Claims]:
    """Return the claims of every valid token of a request, one for each session. For sign-outs.

    Raises CookieAmbiguous if there are too many cookies to read.

    Another host of the domain can add a second cookie, which makes the right one ambiguous.
    """
    name = request.app[context.CONFIG].cookie_name
    tokens = cookies.candidates(request.headers.getall("Cookie", ()), name)
    with contextlib.suppress(errors.AuthorizationAmbiguous):
        tokens += filter(None, [bearer_token(request)])
    found: dict[str, Claims] = {}
    for token in tokens:
        with contextlib.suppress(errors.Unauthenticated):
            claims = await authenticate(request, token)
            found.setdefault(claims["sid"], claims)
    return list(found.values())


async def is_signed_out(request: web.Request) -> bool:
    """Return whether there is certainly no session, not even with a withheld cookie."""
    if await authenticate_all(request):
        return False
    return sends_cookie(request) or not may_come_from_another_site(request)


def bearer_token(request: web.Request) -> str | None:
    """Return the bearer token (RFC 6750 section 2.1), or None. Ignores other schemes.

    Raises AuthorizationAmbiguous if there are several headers, at least one with a bearer token.
    """
    lines = request.headers.getall("Authorization", ())
    if not lines:
        return None
    ours = [match for line in lines if (match := _BEARER.fullmatch(line.strip(" ")))]
    if not ours:
        return None
    if len(lines) > 1:
        raise errors.AuthorizationAmbiguous
    return ours[0][1] or ""
