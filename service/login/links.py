"""Links that set a password or passkey without a sign-in: `/auth/links/{secret}`.

GET only shows what the link does, because mail scanners follow links; POST does it.
"""

import asyncio
import importlib
from collections.abc import AsyncIterator
from typing import NamedTuple
from weakref import WeakValueDictionary

from aiohttp import web

from service import schemas, session, users
from service.audit import Actor
from service.credentials import attempt_limits, links, passwords, totp
from service.credentials.links import Link
from service.db import Transaction
from service.login import link_page, link_users
from service.login.link_users import Chosen
from service.parsing import urls
from service.session import known_device, password
from service.session.sign_in import NewSession
from service.users import User
from service.web import access, context, responses, submitted

_PATH = "/auth/links/{secret}"
_AMR = ("pwd",)

Locks = WeakValueDictionary[str, asyncio.Lock]
LOCKS = web.AppKey("link_locks", Locks)


class _Done(NamedTuple):
    """What a link has done. `begun` is the new session, None if the user must sign in."""

    link: Link
    user: User
    begun: NewSession | None


@access.public
async def show(request: web.Request) -> web.Response:
    """GET /auth/links/{secret}: shows what a link does. Changes nothing."""
    return await link_page.show(request, await _find(request))


@access.public
async def use(request: web.Request) -> web.Response:
    """POST /auth/links/{secret}: sets a password or passkey. Without a user, creates one."""
    is_form = submitted.is_form(request)
    link = await _find(request)
    body = schemas.form(await submitted.form(request)) if is_form else await submitted.json(request)
    try:
        async with _lock(request):
            await _find(request)  # used meanwhile: do not hash
            done = await _apply(request, await _chosen(request, link, body))
    except link_page.SHOWN as problem:
        if is_form:
            problem.page = await link_page.show(request, link, body=body, problem=problem)
        raise
    return _answer(request, done, is_form=is_form)


async def _find(request: web.Request) -> Link:
    """Return the link of a request. Raises LinkInvalid."""
    async with request.app[context.LOOKUPS]:
        return await links.find(request.app[context.DATABASE], request.match_info["secret"])


async def _chosen(request: web.Request, link: Link, body: object) -> Chosen:
    """Return the new credential. Raises ValidationError, UsernameTaken, and what each kind does."""
    config = request.app[context.CONFIG]
    is_passkey = isinstance(body, dict) and "credential" in body
    if config.offers_passkeys and (is_passkey or not config.password_auth):
        kind = importlib.import_module("service.login.link_passkey")  # with its library
        found: Chosen = await kind.chosen(request, link, body)
        return found
    return await _password(request, link, body)


async def _password(request: web.Request, link: Link, body: object) -> Chosen:
    """Return a new password, hashed. Raises ValidationError, UsernameTaken, Overloaded."""
    config = request.app[context.CONFIG]
    given = schemas.new_password(body) if link.user else schemas.new_user_password(body)
    try:
        chosen = passwords.new(
            given.password,
            least=config.password_min_length,
            username=link.user["username"] if link.user else given.username or "",
            site=urls.host_of(config.public_url),
        )
    except ValueError as error:
        raise link_users.fault("password", str(error)) from None
    username = await link_users.username(request, link, given.username)
    phc = await request.app[password.HASHER].hash(chosen)

    async def save(tx: Transaction, by: Actor, user: User) -> bool:
        replaces = await passwords.find(tx, user["id"]) is not None
        await passwords.save(tx, by, user, phc)
        await attempt_limits.clear_user(tx, user["username"])
        return replaces

    return Chosen(username, save, _AMR)


async def _apply(request: web.Request, chosen: Chosen) -> _Done:
    """Use the link, in one transaction. Raises LinkInvalid, UsernameTaken, TokenTooLarge."""
    async with context.writing(request) as tx:
        link = await links.use(tx, request.match_info["secret"])
        by = Actor(
            f"link:{link.purpose}",
            client=context.client_name(request),
            request_id=context.request_info(request).id,
        )
        user = link.user or await _create(tx, by, link, chosen.username)
        await links.record_use(tx, by, link, user)
        is_reset = await chosen.save(tx, by, user) or link.purpose == "reset"
        await links.withdraw(tx, user["id"])
        if is_reset:
            await users.sign_out(tx, by, user["id"])
            user = await users.get_by_id(tx, user["id"])
        # Before the commit: a session that cannot start must not use the link up.
        has_codes = await totp.find(tx, user["id"]) is not None
        signs_in = _signs_in(request, chosen.amr, is_reset=is_reset, has_codes=has_codes)
        begun = session.start(request, user, amr=chosen.amr) if signs_in else None
        return _Done(link, user, begun)


async def _create(tx: Transaction, by: Actor, link: Link, username: str) -> User:
    """Create the user of a claim or an open invitation. Raises UsernameTaken."""
    if link.purpose == "claim":
        await links.withdraw_claims(tx)
        if users.MANAGE_USERS not in await users.role_ids(tx):
            await users.create_role(tx, by, users.MANAGE_USERS)
        return await users.create(tx, by, username, [users.MANAGE_USERS])
    return await users.create(tx, by, username, await links.roles_of(tx, link))


def _signs_in(
    request: web.Request, amr: tuple[str, ...], *, is_reset: bool, has_codes: bool
) -> bool:
    """Return whether a link also signs in.

    Another password does not, nor does the first of a user with one-time codes: a link must not
    replace the second factor.
    """
    second_factor = request.app[context.CONFIG].second_factor
    needs_code = second_factor == "required" or (second_factor == "optional" and has_codes)
    return "mfa" in amr or not (is_reset or needs_code)


def _lock(request: web.Request) -> asyncio.Lock:
    """Return the lock of a link in this process: of many requests at once, one hashes."""
    return request.app[LOCKS].setdefault(request.match_info["secret"], asyncio.Lock())


def _answer(request: web.Request, done: _Done, *, is_form: bool) -> web.Response:
    if done.begun is None:
        return link_page.used(request, done.user) if is_form else web.Response(status=204)
    if is_form:
        response = session.redirect(request, done.begun, urls.HOME)
    else:
        body = responses.json(session.caller(done.begun.claims))
        response = session.answer(request, done.begun, body)
    response.headers.add("Set-Cookie", known_device.remember(request, done.user["id"]))
    return response


async def locks(app: web.Application) -> AsyncIterator[None]:
    """Create the locks of links."""
    app[LOCKS] = WeakValueDictionary()
    yield


ROUTES = (web.get(_PATH, show), web.post(_PATH, use))
