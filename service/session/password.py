"""Check the password of a user, within the limits of failed attempts."""

from collections.abc import AsyncIterator
from typing import NamedTuple

from aiohttp import web

from service import errors, users
from service.credentials import attempt_limits, passwords
from service.credentials.attempt_limits import Counted, InFlight
from service.credentials.hashing import Hasher, Lane, is_outdated
from service.session import known_device
from service.users import User
from service.web import context

HASHER = web.AppKey("hasher", Hasher)
IN_FLIGHT = web.AppKey("in_flight", InFlight)
_NOBODY = 0


class _Attempt(NamedTuple):
    """An attempt: the user of the name, if there is one, and what a failure counts for."""

    user: User | None
    counted: tuple[Counted, ...]
    lane: Lane

    @property
    def user_id(self) -> int | None:
        return None if self.user is None else self.user["id"]


class Passed(NamedTuple):
    """A user whose password was right, and the counts of failures, which are not cleared yet."""

    user: User
    counted: tuple[Counted, ...]
    has_failed: bool


async def authenticate(request: web.Request, username: str, password: str) -> User:
    """Return the user whose password it is, and clear the counts of failures.

    Raises CredentialsInvalid alike for unknown names, wrong passwords and disabled users,
    TooManyAttempts and Overloaded.
    """
    passed = await check(request, username, password)
    await succeed(request, passed)
    return passed.user


async def check(request: web.Request, username: str, password: str) -> Passed:
    """Check a password, and count a failure. A success clears no counts: see `succeed`.

    Otherwise somebody who knows the password could try any number of one-time codes. Raises what
    `authenticate` raises.
    """
    database, hasher = request.app[context.DATABASE], request.app[HASHER]
    attempt = await _attempt(request, username)
    async with request.app[context.LOOKUPS]:
        limits = await attempt_limits.read(database, attempt.counted)
        attempt_limits.require_none(limits)
        phc = await passwords.find(database, attempt.user_id or _NOBODY)
    with request.app[IN_FLIGHT].checking(attempt.counted, limits):
        is_right = await hasher.verify(password, phc, lane=attempt.lane)
        user = attempt.user
        if not is_right or user is None or user["disabled"]:
            raise await _failed(request, attempt)
    async with request.app[context.LOOKUPS]:  # others may have failed meanwhile
        limits = await attempt_limits.read(database, attempt.counted)
    attempt_limits.require_none(limits)
    if phc is not None and is_outdated(phc):
        fresh = await hasher.hash(password)
        async with context.writing(request) as tx:
            await passwords.save_again(tx, user["id"], phc, fresh)
    return Passed(user, attempt.counted, has_failed=bool(limits))


async def succeed(request: web.Request, passed: Passed) -> None:
    """Clear the counts of failures after a complete sign-in."""
    if passed.has_failed:
        async with context.writing(request) as tx:
            await attempt_limits.clear(tx, passed.counted)


def counted(request: web.Request, user: User) -> tuple[Counted, ...]:
    """Return what a failure of a user counts for in this browser."""
    return _counted(request, user["username"], user)[0]


async def _attempt(request: web.Request, typed: str) -> _Attempt:
    """Look the user up, and decide what a failure counts for."""
    try:
        username = users.normalize_username(typed)
    except errors.InvalidName:
        username = ""  # no user has it
    async with request.app[context.LOOKUPS]:
        user = await users.find_by_username(request.app[context.DATABASE], username)
    return _Attempt(user, *_counted(request, username, user))


def _counted(
    request: web.Request, username: str, user: User | None
) -> tuple[tuple[Counted, ...], Lane]:
    """Return what a failure counts for, and the lane: a known device has its own."""
    device = known_device.read(request)
    if device is not None and user is not None and user["id"] in device.users:
        return (attempt_limits.device(device.id, user["id"]),), "known"
    strangers = (
        attempt_limits.account(username),
        attempt_limits.network(context.client(request)),
    )
    return strangers, "stranger"


async def _failed(request: web.Request, attempt: _Attempt) -> errors.Problem:
    """Count a failure. Return the error: from the sixth in a row on, how long to wait."""
    async with context.writing(request) as tx:
        delay = await attempt_limits.fail(tx, attempt.counted, attempt.user_id)
    return errors.TooManyAttempts(delay) if delay else errors.CredentialsInvalid()


async def threads(app: web.Application) -> AsyncIterator[None]:
    """Start the threads that hash passwords, and stop them at the end."""
    app[HASHER], app[IN_FLIGHT] = Hasher(), InFlight()
    yield
    app[HASHER].close()
