"""The session: the cookie that carries the token, from sign-in to sign-out."""

import re
from typing import Any
from urllib.parse import urljoin

from aiohttp import web

from service import accept, context, cookies, errors, logs, provider_sessions, returns, urls
from service.provider_sessions import ProviderSession
from service.tokens import Claims

_BEARER = re.compile(r"bearer(?: +(.*))?", re.IGNORECASE | re.DOTALL)
_NEXT = ("next", "rd")


def sign_in(request: web.Request, user: dict[str, Any], *, amr: str) -> web.Response:
    """Begin a session for `user`: answer with the cookie, and lead on to `next`.

    Every way in ends here, or in `sign_in_from`. Raises TokenTooLarge.
    """
    token, claims = request.app[context.TOKENS].issue(user, amr=amr)
    return _land(
        request,
        token,
        claims,
        location=next_address(request),
        by_page=came_from_another_site(request),
    )


async def sign_in_from(
    request: web.Request, user: dict[str, Any], came: ProviderSession, *, amr: str, location: str
) -> web.Response:
    """Begin a session for `user` that a session at a provider opened, and lead on to `location`.

    Raises TokenTooLarge, DatabaseUnavailable.
    """
    app = request.app
    token, claims = app[context.TOKENS].issue(user, amr=amr)
    async with app[context.DATABASE].transaction() as tx:
        await provider_sessions.opened(tx, came, claims)
    # Older browsers, and all on plain http, do not say that another site led here.
    says_nothing = "Sec-Fetch-Site" not in request.headers and accept.prefers_html(
        ", ".join(request.headers.getall("Accept", ()))
    )
    response = _land(
        request,
        token,
        claims,
        location=location,
        by_page=says_nothing or came_from_another_site(request),
    )
    lines, secure = request.headers.getall("Cookie", ()), app[context.CONFIG].cookie_secure
    response.headers.add("Set-Cookie", returns.note(app[context.SEALS], lines, secure=secure))
    return response


async def sign_out(request: web.Request, *, everywhere: bool = False) -> web.Response:
    """End the session, here and in every copy of its tokens; clear the cookie, lead on to `next`.

    With `everywhere`, end all sessions of the user. Raises DatabaseUnavailable: then the session
    goes on, and the cookie stays.
    """
    claims = await identify_if_any(request)
    location = next_address(request)
    if claims is not None:
        came_from = await _provider_session(request, claims)
        feed = request.app[context.REVOCATION]
        if everywhere:
            await feed.sign_out_user(context.actor(request, claims), claims["id"])
        else:
            await feed.sign_out_session(claims)
        scope = "everywhere" if everywhere else "session"
        context.log(request, "sign_out", user=claims["username"], sid=claims["sid"], scope=scope)
        if came_from is not None:
            location = await _by_way_of(request, came_from, location)
    response = _move_on(request, location, by_page=not _is_form_target(request, location))
    if request.method != "GET" or _sends_cookie(request):
        response.headers.add("Set-Cookie", _cookie(request, "", 0))
    if any(returns.NAME in line for line in request.headers.getall("Cookie", ())):
        secure = request.app[context.CONFIG].cookie_secure
        response.headers.add("Set-Cookie", returns.forget(secure=secure))
    return response


async def identify(request: web.Request) -> Claims:
    """Return the claims of the caller's token: the bearer token if there is one, else the cookie.

    Name and roles are the user's present ones. Raises CredentialsMissing, CookieAmbiguous,
    AuthorizationAmbiguous, and what Tokens.verify and Revocation.admit raise.
    """
    token = bearer_token(request)
    if token is None:
        name = request.app[context.CONFIG].cookie_name
        token = cookies.read(request.headers.getall("Cookie", ()), name)
    if token is None:
        raise errors.CredentialsMissing
    app = request.app
    return await app[context.REVOCATION].admit(app[context.TOKENS].verify(token))


def require_role(claims: Claims, role: str) -> None:
    """Check that a caller has a role. Raises RoleMissing."""
    if all(held["role"] != role for held in claims["roles"]):
        raise errors.RoleMissing


async def identify_if_any(request: web.Request) -> Claims | None:
    """Return the caller's claims on an open page, where a bad credential means signed out."""
    try:
        return await identify(request)
    except errors.Unauthenticated:
        return None


def bearer_token(request: web.Request) -> str | None:
    """Return the bearer token (RFC 6750 section 2.1), or None; other schemes are not ours.

    Raises AuthorizationAmbiguous when there are several headers and one is ours.
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


def next_address(request: web.Request) -> str:
    """Return where to go after this, from `next` or `rd`: an allowed address, or `/`."""
    values = [value for name in _NEXT for value in request.query.getall(name, ())]
    config = request.app[context.CONFIG]
    return urls.safe_next(values, {config.public_url, *config.allowed_redirects})


def came_from_another_site(request: web.Request) -> bool:
    """Tell whether a browser says that a page of another site led here (Fetch Metadata)."""
    return request.headers.get("Sec-Fetch-Site", "").lower() == "cross-site"


def has_foreign_origin(request: web.Request) -> bool:
    """Tell whether an `Origin` is named, and is not ours (RFC 6454 section 7)."""
    origin = request.headers.get("Origin")
    own = (
        request.app[context.CONFIG].public_url,
        urls.origin(f"http://{request.host}"),
        urls.origin(f"https://{request.host}"),
    )
    return origin is not None and origin not in own


def is_prefetch(request: web.Request) -> bool:
    """Tell whether a browser only guesses that a person will come."""
    purposes = (request.headers.get(name, "") for name in ("Sec-Purpose", "Purpose", "X-Moz"))
    return any("prefetch" in purpose.lower() for purpose in purposes)


def _land(
    request: web.Request, token: str, claims: Claims, *, location: str, by_page: bool
) -> web.Response:
    """Answer with the cookie of a new session.

    With `by_page`, under `SameSite=Strict`, by a page that moves on by itself: after a navigation
    from another site a browser would not send the fresh cookie along a 302 (RFC 6265bis 5.6.7.1).
    """
    app = request.app
    amr = claims["amr"][0]
    app[context.METRICS].signed_in(amr)
    context.log(request, "sign_in", user=claims["username"], method=amr, sid=claims["sid"])
    is_strict = app[context.CONFIG].cookie_samesite == "Strict"
    response = _move_on(request, location, by_page=by_page and is_strict)
    response.headers.add("Set-Cookie", _cookie(request, token, claims["exp"] - claims["iat"]))
    return response


def _move_on(request: web.Request, location: str, *, by_page: bool) -> web.Response:
    if not by_page:
        return web.Response(status=302, headers={"Location": location})
    page = request.app[context.VIEWS].render("landing.html", location=location)
    return web.Response(text=page, content_type="text/html")


async def _provider_session(request: web.Request, claims: Claims) -> ProviderSession | None:
    """Return the session at a provider that opened this one, if providers are on."""
    if not request.app[context.PROVIDERS]:
        return None
    return await provider_sessions.behind(request.app[context.DATABASE], claims["sid"])


async def _by_way_of(request: web.Request, came_from: ProviderSession, location: str) -> str:
    """Return where signing out at the provider begins, or `location` where one cannot."""
    provider = request.app[context.PROVIDERS].get(came_from.provider)
    if provider is None:
        return location
    back = urljoin(request.app[context.CONFIG].public_url, location)
    try:
        return await provider.leave(came_from, back) or location
    except errors.Problem as problem:
        context.log(request, "provider_not_left", level=logs.WARNING, code=problem.code)
        return location


def _is_form_target(request: web.Request, location: str) -> bool:
    """Tell whether our policy lets a form lead there by a redirect; a link may lead anywhere."""
    if request.method != "POST" or location.startswith("/"):
        return True
    config = request.app[context.CONFIG]
    return urls.origin_of(location) in {config.public_url, *config.form_origins}


def _sends_cookie(request: web.Request) -> bool:
    prefix = request.app[context.CONFIG].cookie_name + "="
    return any(prefix in line for line in request.headers.getall("Cookie", ()))


def _cookie(request: web.Request, value: str, max_age: int) -> str:
    """Write a `Set-Cookie` value: the same attributes to set and to clear (RFC 6265 4.1)."""
    config = request.app[context.CONFIG]
    secure = "; Secure" if config.cookie_secure else ""
    return (
        f"{config.cookie_name}={value}; HttpOnly{secure}; SameSite={config.cookie_samesite}"
        f"; Path=/; Max-Age={max_age}"
    )
