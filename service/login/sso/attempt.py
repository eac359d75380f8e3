"""A sign-in attempt at a provider. Its state is encrypted in its own cookie.

Each attempt has its own cookie, so that two tabs do not interfere. Only the browser that started an
attempt can finish it, once.
"""

import re
import secrets
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from service import errors, session
from service.parsing import urls
from service.session import loop_guard
from service.web import context, cookies, responses

SECONDS = 600
_ID = re.compile(r"[A-Za-z0-9_-]{22}", re.ASCII)
_AT_MOST = 5
_MOST_FORGOTTEN = 32
_LENGTH = 3800
_RETURNS = 3

State = dict[str, Any]


def new_id() -> str:
    """Return the ID of a new attempt: 128 random bits."""
    return secrets.token_urlsafe(16)


async def begin(
    request: web.Request, leaf: str, attempt: str, facts: Mapping[str, Any], *, to: str
) -> web.Response:
    """Return a redirect to a provider, with the cookie of the attempt.

    `leaf` is the sign-in method, as in `/auth/<leaf>`. The cookie stores `facts` and `next` of this
    request, or `/` if it is too long. Raises PrefetchRefused, and CookieNotKept for a browser in a
    sign-in loop.
    """
    if session.is_background_load(request):
        raise errors.PrefetchRefused
    location = session.next_address(request)
    await _break_circles(request, location)
    lines = request.headers.getall("Cookie", ())
    sealed = _sealed(request, leaf, attempt, {**facts, "next": location})
    response = responses.redirect(to)
    response.headers.add("Set-Cookie", _cookie(request, leaf, attempt, sealed))
    for old in _to_forget(leaf, lines, len(sealed)):
        response.headers.add("Set-Cookie", _cookie(request, leaf, old, ""))
    return response


def _sealed(request: web.Request, leaf: str, attempt: str, facts: State) -> str:
    seals, purpose = request.app[context.ENCRYPTED], _purpose(leaf, attempt)
    sealed = seals.encrypt(purpose, facts)
    return (
        sealed if len(sealed) <= _LENGTH else seals.encrypt(purpose, {**facts, "next": urls.HOME})
    )


def load(request: web.Request, leaf: str, attempt: str) -> State:
    """Return the state of this browser's attempt. Raises AttemptUnknown."""
    if not _ID.fullmatch(attempt):
        raise errors.AttemptUnknown
    lines = request.headers.getall("Cookie", ())
    try:
        sealed = cookies.read(lines, _prefix(leaf) + attempt)
    except errors.CookieAmbiguous:
        raise errors.AttemptUnknown from None
    seals = request.app[context.ENCRYPTED]
    facts = seals.decrypt(_purpose(leaf, attempt), sealed or "", max_age=SECONDS)
    if facts is None:
        raise errors.AttemptUnknown
    return dict(facts)


def forget(request: web.Request, leaf: str, attempt: str) -> str:
    """Return the `Set-Cookie` value that deletes an attempt."""
    return _cookie(request, leaf, attempt, "")


def failure_links(start: str, location: str) -> dict[str, str]:
    """Return the links of the error page of an attempt, by text."""
    again = f"{start}?{urlencode({'next': location})}"
    return {"Try again": again, "Other ways to sign in": sign_in_page(location)}


def sign_in_page(location: str) -> str:
    """Return the URL of the sign-in page with `location` as `next`."""
    return f"/auth/login?{urlencode({'next': location})}"


async def _break_circles(request: web.Request, location: str) -> None:
    """Raise CookieNotKept for a browser that returns a third time without its session."""
    lines = request.headers.getall("Cookie", ())
    if len(loop_guard.recent(request.app[context.ENCRYPTED], lines)) < _RETURNS:
        return
    if await session.authenticate_optional(request) is None:
        problem = errors.CookieNotKept()
        problem.links = {"Other ways to sign in": sign_in_page(location)}
        raise problem


def _to_forget(leaf: str, lines: Iterable[str], fresh_length: int) -> list[str]:
    """Return the old attempts to delete when a new one starts.

    All cookies must fit into one header line together with the session. Browsers send the oldest
    first. A response deletes a limited number; the next one deletes more.
    """
    prefix = _prefix(leaf)
    forgotten, count, length = [], 1, fresh_length
    for name, each in reversed(cookies.lengths(lines, prefix).items()):
        count, length = count + 1, length + each
        attempt = name.removeprefix(prefix)
        if (count > _AT_MOST or length > _LENGTH) and _ID.fullmatch(attempt):
            forgotten.append(attempt)
    return forgotten[-_MOST_FORGOTTEN:]


def _prefix(leaf: str) -> str:
    return f"latchkey_{leaf}_"


def _purpose(leaf: str, attempt: str) -> str:
    return f"attempt {leaf} {attempt}"


def _cookie(request: web.Request, leaf: str, attempt: str, value: str) -> str:
    return cookies.write(
        _prefix(leaf) + attempt,
        value,
        path=f"/auth/{leaf}",
        max_age=SECONDS if value else 0,
        samesite="Lax",
        secure=request.app[context.CONFIG].cookie_secure,
    )
