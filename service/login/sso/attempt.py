"""A sign-in attempt at a provider. Its state is encrypted in its own cookies.

Only the browser that started an attempt can finish it, once. A provider gets the attempt's
reference: its ID and, encrypted, where the sign-in leads to, which is still known when the cookies
are gone.
"""

import secrets
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from service import errors, session
from service.login.sso import attempt_cookies
from service.parsing import base64url, urls
from service.session import loop_guard
from service.web import context, responses

_RETURNS = 3
_MOST_SUFFIX = 1024
"""The maximum length of an encrypted goal in a URL.

It has room for about 700 characters, and for more that can be compressed.
"""
_LOST = "-"
"""Replaces an encrypted goal that is too long."""
_SUFFIX_SECONDS = 30 * 86400
"""How long browsers keep a tab that they restore."""

_PROMPTS = ("select_account", "login")
OF_ACCOUNT = (
    errors.IdentityUnknown,
    errors.AccountNotAllowed,
    errors.UsernameTaken,
    errors.UsernameInvalid,
)
"""The problems of one account at the provider: another account may not have them."""

TOO_LONG = "/auth/login?too_long=1"
"""The URL of the sign-in page for a `next` that is too long."""


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
        reference = f"{attempt}.{_sealed_goal(request, leaf, attempt, location)}"
    return NewAttempt(attempt, reference, location)


def choice(request: web.Request) -> dict[str, str]:
    """Return the parameter of a start by which the user can choose an account, or no parameter."""
    prompts = request.query.getall("prompt", [])
    return {"prompt": prompts[0]} if len(prompts) == 1 and prompts[0] in _PROMPTS else {}


def id_of(reference: str) -> str:
    """Return the ID in a reference. It may be invalid, as the reference may be."""
    return reference.partition(".")[0]


async def begin(
    request: web.Request, leaf: str, attempt: NewAttempt, facts: Mapping[str, Any], *, to: str
) -> web.Response:
    """Return a redirect to a provider, with the cookie of the attempt.

    The cookies store `facts`, the choice of an account, and where the sign-in leads to. If that is
    too long, returns a redirect to the sign-in page, which says so. Raises PrefetchRefused, and
    CookieNotKept for a browser in a sign-in loop.
    """
    if session.is_background_load(request):
        raise errors.PrefetchRefused
    if session.next_is_too_long(request):
        return responses.redirect(TOO_LONG)
    await _break_circles(request, attempt.location)
    response = responses.redirect(to)
    state = {**facts, "choice": choice(request), "next": attempt.location}
    for value in attempt_cookies.save(request, leaf, attempt.id, state):
        response.headers.add("Set-Cookie", value)
    return response


def goal(request: web.Request, leaf: str, reference: str) -> str:
    """Return where an attempt leads to, `/` if that is unknown or no longer allowed.

    If it was too long to be kept, it is the page that says so.
    The attempt may be used, expired, or of another browser.
    """
    attempt, _, suffix = reference.partition(".")
    try:
        found = attempt_cookies.load(request, leaf, attempt)["next"]
    except errors.AttemptUnknown:
        seals = request.app[context.ENCRYPTED]
        purpose = _purpose_of_goal(leaf, attempt)
        found = _opened(seals.decrypt(purpose, suffix, max_age=_SUFFIX_SECONDS))
        if suffix == _LOST:
            return TOO_LONG
    return session.safe_next(request, [found]) if isinstance(found, str) else urls.HOME


def is_kept(request: web.Request, leaf: str, reference: str) -> bool:
    """Return whether this browser has a cookie of an attempt, valid or not."""
    attempt, kept = id_of(reference), attempt_cookies.kept(request, leaf)
    return bool(attempt_cookies.ID.fullmatch(attempt)) and attempt in kept


def has_others(request: web.Request, leaf: str, reference: str) -> bool:
    """Return whether this browser has other attempts, and not this one."""
    others = attempt_cookies.kept(request, leaf)[-attempt_cookies.AT_MOST :]
    return not is_kept(request, leaf, reference) and any(
        _is_valid(request, leaf, other) for other in others
    )


def failure_links(
    request: web.Request, start: str, location: str, chosen: Mapping[str, str]
) -> dict[str, str]:
    """Return the links of the error page of an attempt, by text.

    `chosen` is the parameter by which a new attempt lets the user choose another account, if any.
    """
    again = f"{start}?{urlencode({'next': location, **chosen})}"
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


def _is_valid(request: web.Request, leaf: str, attempt: str) -> bool:
    try:
        attempt_cookies.load(request, leaf, attempt)
    except errors.AttemptUnknown:
        return False
    return True


def _sealed_goal(request: web.Request, leaf: str, attempt: str, location: str) -> str:
    """Return an encrypted goal, compressed if it is long, or _LOST."""
    seals, purpose = request.app[context.ENCRYPTED], _purpose_of_goal(leaf, attempt)
    suffix = seals.encrypt(purpose, location)
    if len(suffix) > _MOST_SUFFIX:
        packed = base64url.encode(zlib.compress(location.encode(), 9)).decode()
        suffix = seals.encrypt(purpose, [packed])
    return suffix if len(suffix) <= _MOST_SUFFIX else _LOST


def _opened(found: Any) -> Any:
    """Return a decrypted goal. A list has a compressed one."""
    if not isinstance(found, list):
        return found
    return zlib.decompress(base64url.decode(found[0].encode())).decode()


def _purpose_of_goal(leaf: str, attempt: str) -> str:
    return f"goal {leaf} {attempt}"
