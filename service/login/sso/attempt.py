"""A sign-in attempt at a provider. Its state is encrypted in its own cookie.

Each attempt has its own cookie, so that two tabs do not interfere. Only the browser that started an
attempt can finish it, once. A provider gets the attempt's reference: its ID and, encrypted, where
the sign-in leads to, which is still known when the cookie is gone.
"""

import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
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
_MOST_SUFFIX = 1024
"""The maximum length of an encrypted goal in a URL; it has room for about 700 characters."""
_SUFFIX_SECONDS = 30 * 86400
"""How long browsers keep a tab that they restore."""

CHOOSE_ACCOUNT = {"prompt": "select_account"}
"""The parameter of a start by which the user can choose another account at the provider."""

OF_ACCOUNT = (
    errors.IdentityUnknown,
    errors.AccountNotAllowed,
    errors.UsernameTaken,
    errors.UsernameInvalid,
)
"""The problems of one account at the provider: another account may not have them."""

State = dict[str, Any]


@dataclass(frozen=True, slots=True)
class NewAttempt:
    """An attempt that starts. `location` is where the sign-in leads to."""

    id: str
    reference: str
    location: str


def new(request: web.Request, leaf: str) -> NewAttempt:
    """Return a new attempt, with an ID of 128 random bits, and `next` of this request.

    `leaf` is the sign-in method, as in `/auth/<leaf>`.
    """
    attempt, location = secrets.token_urlsafe(16), session.next_address(request)
    reference = attempt
    if location != urls.HOME:
        seals = request.app[context.ENCRYPTED]
        suffix = seals.encrypt(_purpose_of_goal(leaf, attempt), location)
        reference = f"{attempt}.{suffix}" if len(suffix) <= _MOST_SUFFIX else attempt
    return NewAttempt(attempt, reference, location)


def id_of(reference: str) -> str:
    """Return the ID in a reference. It may be invalid, as the reference may be."""
    return reference.partition(".")[0]


async def begin(
    request: web.Request, leaf: str, attempt: NewAttempt, facts: Mapping[str, Any], *, to: str
) -> web.Response:
    """Return a redirect to a provider, with the cookie of the attempt.

    The cookie stores `facts` and where the sign-in leads to, or `/` if that is too long. Raises
    PrefetchRefused, and CookieNotKept for a browser in a sign-in loop.
    """
    if session.is_background_load(request):
        raise errors.PrefetchRefused
    await _break_circles(request, attempt.location)
    lines = request.headers.getall("Cookie", ())
    sealed = _sealed(request, leaf, attempt.id, {**facts, "next": attempt.location})
    response = responses.redirect(to)
    response.headers.add("Set-Cookie", _cookie(request, leaf, attempt.id, sealed))
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


def goal(request: web.Request, leaf: str, reference: str) -> str:
    """Return where an attempt leads to, `/` if that is unknown or no longer allowed.

    The attempt may be used, expired, or of another browser.
    """
    attempt, _, suffix = reference.partition(".")
    try:
        found = load(request, leaf, attempt)["next"]
    except errors.AttemptUnknown:
        seals = request.app[context.ENCRYPTED]
        purpose = _purpose_of_goal(leaf, attempt)
        found = seals.decrypt(purpose, suffix, max_age=_SUFFIX_SECONDS)
    return session.safe_next(request, [found]) if isinstance(found, str) else urls.HOME


def is_kept(request: web.Request, leaf: str, reference: str) -> bool:
    """Return whether this browser has a cookie of an attempt, valid or not."""
    attempt = id_of(reference)
    return bool(_ID.fullmatch(attempt)) and attempt in _kept(request, leaf)


def has_others(request: web.Request, leaf: str, reference: str) -> bool:
    """Return whether this browser has other attempts, and not this one."""
    return not is_kept(request, leaf, reference) and any(
        _is_valid(request, leaf, other) for other in _kept(request, leaf)[-_AT_MOST:]
    )


def forget(request: web.Request, leaf: str, attempt: str) -> str:
    """Return the `Set-Cookie` value that deletes an attempt."""
    return _cookie(request, leaf, attempt, "")


def failure_links(
    request: web.Request, start: str, location: str, *, choose: bool = False
) -> dict[str, str]:
    """Return the links of the error page of an attempt, by text.

    With `choose`, a new attempt lets the user choose another account.
    """
    again = f"{start}?{urlencode({'next': location, **(CHOOSE_ACCOUNT if choose else {})})}"
    return {"Try again": again, "Other ways to sign in": sign_in_page(request, location)}


def sign_in_page(request: web.Request, location: str) -> str:
    """Return the URL of the sign-in page with `location` as `next`. It does not redirect."""
    stays = {"choose": "1"} if request.app[context.CONFIG].sign_in_redirect else {}
    return f"/auth/login?{urlencode({'next': location, **stays})}"


async def _break_circles(request: web.Request, location: str) -> None:
    """Raise CookieNotKept for a browser that returns a third time without its session."""
    lines = request.headers.getall("Cookie", ())
    if len(loop_guard.recent(request.app[context.ENCRYPTED], lines)) < _RETURNS:
        return
    if await session.authenticate_optional(request) is None:
        problem = errors.CookieNotKept()
        problem.links = {"Other ways to sign in": sign_in_page(request, location)}
        raise problem


def _kept(request: web.Request, leaf: str) -> list[str]:
    """Return the IDs in the names of the cookies of attempts, the oldest first."""
    prefix = _prefix(leaf)
    names = cookies.lengths(request.headers.getall("Cookie", ()), prefix)
    return [name.removeprefix(prefix) for name in names]


def _is_valid(request: web.Request, leaf: str, attempt: str) -> bool:
    try:
        load(request, leaf, attempt)
    except errors.AttemptUnknown:
        return False
    return True


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


def _purpose_of_goal(leaf: str, attempt: str) -> str:
    return f"goal {leaf} {attempt}"


def _cookie(request: web.Request, leaf: str, attempt: str, value: str) -> str:
    return cookies.write(
        _prefix(leaf) + attempt,
        value,
        path=f"/auth/{leaf}",
        max_age=SECONDS if value else 0,
        samesite="Lax",
        secure=request.app[context.CONFIG].cookie_secure,
    )
