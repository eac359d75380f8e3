"""An attempt to sign in at a provider: what it has to remember, sealed in a cookie of its own.

Each attempt has its own cookie, so that two tabs do not hurt each other; only the browser that
began it can finish it, once.
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
    """Return the name of a new attempt: 128 bits that nobody can guess."""
    return secrets.token_urlsafe(16)


async def begin(
    request: web.Request, leaf: str, attempt: str, facts: Mapping[str, Any], *, to: str
) -> web.Response:
    """Answer with a redirect to a provider, and with the cookie that remembers the attempt.

    `leaf` names the way in, as in `/auth/<leaf>`. Kept are `facts`, and `next` as this request has
    it, or home if a browser would not keep that much. Raises PrefetchRefused, and CookieNotKept to
    a browser that goes round in circles.
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
    """Return what this browser's attempt remembers. Raises AttemptUnknown."""
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
    """Return the `Set-Cookie` value that ends an attempt."""
    return _cookie(request, leaf, attempt, "")


def failure_links(start: str, location: str) -> dict[str, str]:
    """Return the links of a page about an attempt that failed, by their texts."""
    again = f"{start}?{urlencode({'next': location})}"
    return {"Try again": again, "Other ways to sign in": sign_in_page(location)}


def sign_in_page(location: str) -> str:
    """Return where the ways in are shown, and lead to `location` then."""
    return f"/auth/login?{urlencode({'next': location})}"


async def _break_circles(request: web.Request, location: str) -> None:
    """Refuse a browser that comes back for the third time without the session it was given."""
    lines = request.headers.getall("Cookie", ())
    if len(loop_guard.recent(request.app[context.ENCRYPTED], lines)) < _RETURNS:
        return
    if await session.authenticate_optional(request) is None:
        problem = errors.CookieNotKept()
        problem.links = {"Other ways to sign in": sign_in_page(location)}
        raise problem


def _to_forget(leaf: str, lines: Iterable[str], fresh_length: int) -> list[str]:
    """Return the attempts for which there is no room any more beside a fresh one.

    Browsers send the oldest first. All have to fit into one line, and the session beside them. An
    answer forgets few; the next one forgets more.
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
