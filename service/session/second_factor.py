"""The second factor after a password: one-time codes, and their set-up before a session.

Between the two steps, the browser keeps the cookie `latchkey_second_factor`, which says whose
password was right. It holds no session, and other hosts and pages do not get it.
"""

from collections.abc import Sequence
from typing import NamedTuple

from aiohttp import web

from service import errors, users
from service.audit import Actor
from service.credentials import attempt_limits, totp
from service.credentials.attempt_limits import Counted
from service.credentials.totp import Setup
from service.db import Database, Transaction
from service.errors import Problem
from service.parsing import urls
from service.session import password
from service.session.password import Passed
from service.users import User
from service.web import context, cookies

NAME = "latchkey_second_factor"
SECONDS = 300
"""How long a code can be entered after the password."""
SETUP_SECONDS = totp.SETUP_SECONDS
"""How long a set-up can be confirmed after the password."""
PASSWORD = ("pwd",)
PASSWORD_AND_CODE = ("pwd", "otp", "mfa")
_WRONG = "The code is wrong or has expired. Enter the newest code of the app."
_PURPOSE = "second factor"
_SETUP_PURPOSE = "second factor set-up"
_PATH = "/auth/password"


class Complete(NamedTuple):
    """A user whose sign-in is complete, and its methods (RFC 8176)."""

    user: User
    amr: Sequence[str]


async def complete(request: web.Request, passed: Passed, code: str | None) -> Complete:
    """Check the second factor after a password, if the user needs one.

    Raises OtpRequired, OtpInvalid, OtpSetupRequired, TooManyAttempts.
    """
    if (mode := request.app[context.CONFIG].second_factor) != "off":
        if await has_codes(request, passed.user):
            if code is None:
                raise errors.OtpRequired
            user = await check(request, passed.user, passed.counted, code)
            return Complete(user, PASSWORD_AND_CODE)
        if mode == "required":
            raise errors.OtpSetupRequired
    await password.succeed(request, passed)
    return Complete(passed.user, PASSWORD)


async def has_codes(request: web.Request, user: User) -> bool:
    """Return whether a user has set up one-time codes."""
    async with request.app[context.LOOKUPS]:
        return await totp.find(request.app[context.DATABASE], user["id"]) is not None


async def check(request: web.Request, user: User, counted: Sequence[Counted], code: str) -> User:
    """Use up a code. Return the user as it is now.

    Attempts of all processes are checked one after the other: each is counted before the next.
    Raises OtpInvalid, TooManyAttempts, SignInExpired.
    """
    async with request.app[context.LOOKUPS]:
        limits = await attempt_limits.read(request.app[context.DATABASE], counted)
    attempt_limits.require_none(limits)
    async with context.writing(request) as tx:
        now = request.app[context.TOKENS].now()
        current = await _unchanged(tx, user)
        limits = await attempt_limits.read(tx, counted)
        attempt_limits.require_none(limits)
        is_right = await totp.use(tx, actor(request, current), current, code, now=now)
        problem = await _noted(tx, current, counted, is_right=is_right)
    if problem is not None:  # after the commit, which counts the failure
        raise problem
    return current


async def _noted(
    tx: Transaction, user: User, counted: Sequence[Counted], *, is_right: bool
) -> Problem | None:
    """Count a failure, or clear the counts. Return the error to raise."""
    if is_right:
        await attempt_limits.clear(tx, counted)
        return None
    delay = await attempt_limits.fail(tx, counted, user["id"])
    return errors.TooManyAttempts(delay) if delay else errors.OtpInvalid()


async def start_setup(request: web.Request, user: User) -> Setup:
    """Start the set-up of a user who has no codes and no session. Raises SignInExpired."""
    async with context.writing(request) as tx:
        await _require_no_codes(tx, user)
        return await totp.start(tx, await _unchanged(tx, user), site=site(request))


async def started_setup(request: web.Request, user: User) -> Setup:
    """Return the set-up that a user has started. Raises SignInExpired if there is none."""
    async with request.app[context.LOOKUPS]:
        started = await _started(request, request.app[context.DATABASE], user)
    if started is None:
        raise errors.SignInExpired
    return started


async def confirm_setup(request: web.Request, user: User, code: str) -> tuple[User, list[str]]:
    """Confirm the set-up of a user who has no codes yet. Return the user and the recovery codes.

    Raises OtpInvalid, SignInExpired. Codes that were set up meanwhile are never replaced: only the
    password has been checked.
    """
    async with context.writing(request) as tx:
        current = await _unchanged(tx, user)
        await _require_no_codes(tx, current)
        started = await _started(request, tx, current)
        if started is None:
            raise errors.SignInExpired
        now = request.app[context.TOKENS].now()
        by = actor(request, current)
        codes = await totp.confirm(tx, by, current, started, code=code, now=now)
        if codes is None:
            raise errors.OtpInvalid(_WRONG)
        await attempt_limits.clear(tx, password.counted(request, current))
    return current, codes


def remember(request: web.Request, user: User, *, is_setup: bool = False) -> str:
    """Return the `Set-Cookie` value after the password of `user` was right.

    With `is_setup`, the cookie is good for a set-up only, and for longer.
    """
    purpose, seconds = _kind(is_setup=is_setup)
    value = {"user": user["id"], "version": user["version"]}
    return _cookie(request, request.app[context.ENCRYPTED].encrypt(purpose, value), seconds)


def forget(request: web.Request) -> str:
    """Return the `Set-Cookie` value that deletes the cookie."""
    return _cookie(request, "", 0)


async def pending(request: web.Request, *, is_setup: bool = False) -> User:
    """Return the user whose password was right in this browser a short time ago.

    Raises SignInExpired, also if the user has changed since.
    """
    try:
        text = cookies.read(request.headers.getall("Cookie", ()), NAME)
    except errors.CookieAmbiguous:
        text = None
    if text is None:
        raise errors.SignInExpired
    purpose, seconds = _kind(is_setup=is_setup)
    found = request.app[context.ENCRYPTED].decrypt(purpose, text, max_age=seconds)
    if found is None:
        raise errors.SignInExpired
    async with request.app[context.LOOKUPS]:
        user = await users.find_by_id(request.app[context.DATABASE], found["user"])
    if user is None or user["disabled"] or user["version"] != found["version"]:
        raise errors.SignInExpired
    return user


async def _started(request: web.Request, db: Database | Transaction, user: User) -> Setup | None:
    return await totp.setup(db, user["id"], user["username"], site=site(request))


def _kind(*, is_setup: bool) -> tuple[str, int]:
    return (_SETUP_PURPOSE, SETUP_SECONDS) if is_setup else (_PURPOSE, SECONDS)


def actor(request: web.Request, user: User) -> Actor:
    """Return a user without a session as an actor of the audit log."""
    info = context.request_info(request)
    return Actor(user["username"], user["id"], context.client_name(request), info.id)


def site(request: web.Request) -> str:
    """Return the host that authenticator apps show."""
    return urls.host_of(request.app[context.CONFIG].public_url)


async def _unchanged(tx: Transaction, user: User) -> User:
    """Return a user as read in a transaction. Raises SignInExpired if it has changed."""
    current = await users.find_by_id(tx, user["id"])
    if current is None or current["disabled"] or current["version"] != user["version"]:
        raise errors.SignInExpired
    return current


async def _require_no_codes(tx: Transaction, user: User) -> None:
    if await totp.find(tx, user["id"]) is not None:
        raise errors.SignInExpired


def _cookie(request: web.Request, value: str, max_age: int) -> str:
    return cookies.write(
        NAME,
        value,
        path=_PATH,
        max_age=max_age,
        samesite="Strict",
        secure=request.app[context.CONFIG].cookie_secure,
    )
