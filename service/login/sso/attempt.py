"""A sign-in attempt at a provider. Its state is encrypted in its own cookie.

Each attempt has its own cookie, so that two tabs do not interfere. Only the browser that started an
attempt can finish it, once. A cookie has at most 4 KB, so a long state takes several: `<name>`,
`<name>.1` and so on.
"""

import re
import secrets
import zlib
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from service import errors, session
from service.parsing import base64url, urls
from service.session import loop_guard
from service.web import context, cookies, responses

SECONDS = 600
_ID = re.compile(r"[A-Za-z0-9_-]{22}", re.ASCII)
AT_MOST = 5
"""The number of attempts that a browser keeps."""
COOKIE_LENGTH = 3_800
MOST_COOKIES = 4
"""The maximum number of cookies of an attempt. The longest `next` fits in."""
ALL_LENGTH = 16_000
"""The maximum length of the cookies of all attempts, unless the newest alone is longer."""
_PIECE = re.compile(rf"{_ID.pattern}(?:\.[1-{MOST_COOKIES - 1}])?", re.ASCII)
_PACKED = "packed"
"""The member of a state with a long `next`, compressed, so that most fit into one cookie."""
_MOST_FORGOTTEN = 32
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
    request. If `next` is too long, returns a redirect to the sign-in page, which says so. Raises
    PrefetchRefused, and CookieNotKept for a browser in a sign-in loop.
    """
    if session.is_background_load(request):
        raise errors.PrefetchRefused
    if session.next_is_too_long(request):
        return responses.redirect(TOO_LONG)
    location = session.next_address(request)
    await _break_circles(request, location)
    lines = request.headers.getall("Cookie", ())
    sealed = _sealed(request, leaf, attempt, {**facts, "next": location})
    response = responses.redirect(to)
    for number, start in enumerate(range(0, len(sealed), COOKIE_LENGTH)):
        piece = sealed[start : start + COOKIE_LENGTH]
        response.headers.add("Set-Cookie", _cookie(request, leaf, _name(attempt, number), piece))
    for old in _to_forget(leaf, lines, len(sealed)):
        response.headers.add("Set-Cookie", _cookie(request, leaf, old, ""))
    return response


def _sealed(request: web.Request, leaf: str, attempt: str, facts: State) -> str:
    seals, purpose = request.app[context.ENCRYPTED], _purpose(leaf, attempt)
    sealed = seals.encrypt(purpose, facts)
    if len(sealed) > COOKIE_LENGTH:
        packed = base64url.encode(zlib.compress(facts["next"].encode(), 9)).decode()
        sealed = seals.encrypt(purpose, {**facts, "next": "", _PACKED: packed})
    if len(sealed) > MOST_COOKIES * COOKIE_LENGTH:
        sealed = seals.encrypt(purpose, {**facts, "next": urls.HOME})
    return sealed


def load(request: web.Request, leaf: str, attempt: str) -> State:
    """Return the state of this browser's attempt. Raises AttemptUnknown."""
    if not _ID.fullmatch(attempt):
        raise errors.AttemptUnknown
    lines = request.headers.getall("Cookie", ())
    names = (_prefix(leaf) + _name(attempt, number) for number in range(MOST_COOKIES))
    try:
        sealed = "".join(cookies.read(lines, name) or "" for name in names)
    except errors.CookieAmbiguous:
        raise errors.AttemptUnknown from None
    seals = request.app[context.ENCRYPTED]
    facts = seals.decrypt(_purpose(leaf, attempt), sealed, max_age=SECONDS)
    if facts is None:
        raise errors.AttemptUnknown
    state = dict(facts)
    if _PACKED in state:
        state["next"] = zlib.decompress(base64url.decode(state.pop(_PACKED).encode())).decode()
    return state


def forget(request: web.Request, leaf: str, attempt: str) -> list[str]:
    """Return the `Set-Cookie` values that delete an attempt."""
    sent = cookies.lengths(request.headers.getall("Cookie", ()), _prefix(leaf) + attempt)
    more = [_name(attempt, number) for number in range(1, MOST_COOKIES)]
    names = [attempt, *(name for name in more if _prefix(leaf) + name in sent)]
    return [_cookie(request, leaf, name, "") for name in names]


def failure_links(start: str, location: str) -> dict[str, str]:
    """Return the links of the error page of an attempt, by text."""
    again = f"{start}?{urlencode({'next': location})}"
    return {"Try again": again, "Other ways to sign in": sign_in_page(location)}


TOO_LONG = "/auth/login?too_long=1"
"""The URL of the sign-in page for a `next` that is too long."""


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
    """Return the cookies of old attempts to delete when a new one starts, without the prefix.

    All cookies must fit into one header line together with the session. Browsers send the oldest
    first. A response deletes a limited number; the next one deletes more.
    """
    prefix = _prefix(leaf)
    lengths = {
        name.removeprefix(prefix): length for name, length in cookies.lengths(lines, prefix).items()
    }
    pieces: dict[str, list[str]] = {}
    for name in lengths:
        pieces.setdefault(name.partition(".")[0], []).append(name)
    forgotten, length = list[str](), fresh_length
    for count, names in enumerate(reversed(pieces.values()), start=2):
        length += sum(lengths[name] for name in names)
        if count > AT_MOST or length > ALL_LENGTH:
            forgotten += filter(_PIECE.fullmatch, names)
    return forgotten[-_MOST_FORGOTTEN:]


def _name(attempt: str, number: int) -> str:
    """Return the name of a cookie of an attempt, without the prefix."""
    return f"{attempt}.{number}" if number else attempt


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
