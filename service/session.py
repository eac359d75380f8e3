"""The session: the cookie that carries the token, from sign-in to sign-out."""

import re
from collections.abc import Sequence
from typing import Any

from aiohttp import web
from multidict import CIMultiDict

from service import context, cookies, errors, urls
from service.tokens import Claims

_BEARER = re.compile(r"bearer(?: +(.*))?", re.IGNORECASE | re.DOTALL)
_NEXT = ("next", "rd")


def sign_in(request: web.Request, user: dict[str, Any], *, amr: str) -> web.Response:
    """Begin a session for `user`: answer with the cookie, and lead on to `next`.

    After a navigation that came from another site the answer is a page that moves on by itself: a
    browser would not send the fresh `SameSite=Strict` cookie along a 302 (RFC 6265bis 5.6.7.1).
    Every way in ends here. Raises TokenTooLarge.
    """
    app = request.app
    token, claims = app[context.TOKENS].issue(user, amr=amr)
    app[context.METRICS].signed_in(amr)
    context.log(request, "sign_in", user=user["username"], method=amr, sid=claims["sid"])
    headers = _set_cookie(request, token, claims["exp"] - claims["iat"])
    location = next_address(request)
    if came_from_another_site(request) and app[context.CONFIG].cookie_samesite == "Strict":
        page = app[context.VIEWS].render("landing.html", location=location)
        return web.Response(text=page, content_type="text/html", headers=headers)
    headers["Location"] = location
    return web.Response(status=302, headers=headers)


async def sign_out(request: web.Request, *, everywhere: bool = False) -> web.Response:
    """End the session, here and in every copy of its tokens; clear the cookie, lead on to `next`.

    With `everywhere`, end all sessions of the user. Raises DatabaseUnavailable: then the session
    goes on, and the cookie stays.
    """
    claims = await identify_if_any(request)
    if claims is not None:
        feed = request.app[context.REVOCATION]
        if everywhere:
            await feed.sign_out_user(context.actor(request, claims), claims["id"])
        else:
            await feed.sign_out_session(claims)
        scope = "everywhere" if everywhere else "session"
        context.log(request, "sign_out", user=claims["username"], sid=claims["sid"], scope=scope)
    clears = request.method != "GET" or _sends_cookie(request)
    headers = _set_cookie(request, "", 0) if clears else CIMultiDict()
    headers["Location"] = next_address(request)
    return web.Response(status=302, headers=headers)


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
    return safe_next(request, [v for name in _NEXT for v in request.query.getall(name, ())])


def safe_next(request: web.Request, values: Sequence[str]) -> str:
    """Return the one address in `values` if a sign-in may lead there, else `/`."""
    config = request.app[context.CONFIG]
    return urls.safe_next(values, {config.public_url, *config.allowed_redirects})


def came_from_another_site(request: web.Request) -> bool:
    """Tell whether a browser says that a page of another site led here (Fetch Metadata)."""
    return request.headers.get("Sec-Fetch-Site", "").lower() == "cross-site"


def withholds_cookie(request: web.Request) -> bool:
    """Tell whether a browser may keep our cookie back, since a page of another site led here."""
    return (
        came_from_another_site(request)
        and request.app[context.CONFIG].cookie_samesite == "Strict"
        and not _sends_cookie(request)
    )


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


def _sends_cookie(request: web.Request) -> bool:
    prefix = request.app[context.CONFIG].cookie_name + "="
    return any(prefix in line for line in request.headers.getall("Cookie", ()))


def _set_cookie(request: web.Request, value: str, max_age: int) -> CIMultiDict[str]:
    """Return the headers that set the cookie, or clear it with `max_age` 0.

    A cookie of this host alone, from before COOKIE_DOMAIN was set, would be sent beside the one for
    the domain, and two are refused: whoever sends a cookie has that one cleared.
    """
    domain = request.app[context.CONFIG].cookie_domain
    headers = CIMultiDict({"Set-Cookie": _cookie(request, value, max_age, domain)})
    if domain is not None and _sends_cookie(request):
        headers.add("Set-Cookie", _cookie(request, "", 0, None))
    return headers


def _cookie(request: web.Request, value: str, max_age: int, domain: str | None) -> str:
    """Write a `Set-Cookie` value: the same attributes to set and to clear (RFC 6265 4.1)."""
    config = request.app[context.CONFIG]
    secure = "; Secure" if config.cookie_secure else ""
    of_domain = f"; Domain={domain}" if domain else ""
    return (
        f"{config.cookie_name}={value}; HttpOnly{secure}; SameSite={config.cookie_samesite}"
        f"; Path=/{of_domain}; Max-Age={max_age}"
    )
