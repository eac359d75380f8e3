"""Sign in by passkey, and register new ones: challenges, checks and rows."""

import secrets
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from service import errors, users
from service.audit import Actor
from service.credentials import challenges, passkey_options, passkey_responses, passkeys
from service.credentials.challenges import Challenge
from service.credentials.passkey_options import Party
from service.credentials.passkey_responses import Refused
from service.credentials.passkeys import NewPasskey, Passkey
from service.db import Transaction
from service.parsing import base64url, urls
from service.session.sign_in import NewSession, start
from service.users import User
from service.web import context

AMR = ("pop", "mfa")
"""A key that is bound to a device or an account, after the device has verified the user."""
_SIGN_IN = "sign-in"
_HANDLE_BYTES = 32


def party(request: web.Request) -> Party:
    """Return the relying party. Raises PasskeysNeedName."""
    config = request.app[context.CONFIG]
    if not config.offers_passkeys:
        raise errors.PasskeysNeedName
    return Party(urls.host_of(config.public_url), config.public_url)


def request_options(request: web.Request) -> dict[str, Any]:
    """Return the options of a sign-in. Raises PasskeysNeedName."""
    values = request.app[context.ENCRYPTED]
    return passkey_options.request_options(party(request), challenges.new(values, _SIGN_IN))


async def sign_in(request: web.Request, credential: Mapping[str, Any]) -> tuple[User, NewSession]:
    """Start a session for the user whose passkey has answered.

    Raises PasskeyInvalid, PasskeysNeedName, Overloaded, TokenTooLarge.
    """
    about = party(request)
    try:
        challenge = _challenge(request, credential, _SIGN_IN)
        await _require_known(request, credential)
        return await _sign_in(request, about, credential, challenge)
    except Refused as refused:
        raise errors.PasskeyInvalid from refused


async def _require_known(request: web.Request, credential: Mapping[str, Any]) -> None:
    """Refuse an unknown passkey before anything is written. Raises Refused, Overloaded."""
    credential_id = passkey_responses.credential_id_of(credential)
    async with request.app[context.LOOKUPS]:
        known = await passkeys.find(request.app[context.DATABASE], credential_id)
    if known is None:
        raise Refused("unknown")


async def _sign_in(
    request: web.Request, about: Party, credential: Mapping[str, Any], challenge: Challenge
) -> tuple[User, NewSession]:
    """Check an answer by what the transaction reads, and count the challenge as used in any case.

    Raises Refused.
    """
    async with context.writing(request) as tx:
        is_new = await challenges.use_once(tx, challenge)
        reason, found = "challenge used", None
        if is_new:
            try:
                found = await _use(request, tx, about, credential, challenge)
            except Refused as refused:
                reason = str(refused)
    if found is None:  # after the commit, which keeps the use and the audit
        raise Refused(reason)
    return found, start(request, found, amr=AMR)


async def _use(
    request: web.Request,
    tx: Transaction,
    about: Party,
    credential: Mapping[str, Any],
    challenge: Challenge,
) -> User:
    """Return the user of a passkey after a valid answer. Raises Refused."""
    passkey = await passkeys.find(tx, passkey_responses.credential_id_of(credential))
    user = None if passkey is None else await users.find_by_id(tx, passkey["user_id"])
    if passkey is None or user is None:
        raise Refused("unknown")
    verified = passkey_responses.verify_authentication(about, credential, challenge.text, passkey)
    if user["disabled"]:
        raise Refused("disabled")
    info = context.request_info(request)
    by = Actor(user["username"], user["id"], context.client_name(request), info.id)
    if not await passkeys.use(
        tx, by, user, passkey, sign_count=verified.sign_count, backed_up=verified.backed_up
    ):
        raise Refused("signature counter")
    return user


def creation_options(
    request: web.Request, subject: str, user: Mapping[str, Any], known: list[Passkey]
) -> dict[str, Any]:
    """Return the options of a new passkey for `user`, who has `username` and `name`.

    `subject` says who may register it: the same value must be given to `registration`. `known` are
    the user's passkeys. Raises PasskeysNeedName.
    """
    about = party(request)
    handle = known[0]["user_handle"] if known else _new_handle()
    challenge = challenges.new(request.app[context.ENCRYPTED], subject, user_handle=handle)
    shown = {
        "handle": handle,
        "username": user["username"],
        "name": user["name"] or user["username"],
    }
    return passkey_options.creation_options(about, challenge, user=shown, known=known)


def registration(
    request: web.Request, subject: str, credential: Mapping[str, Any]
) -> tuple[NewPasskey, Challenge]:
    """Return a new passkey that an authenticator has made for `creation_options`.

    The caller passes both to `add`. Raises PasskeyNotAdded, PasskeysNeedName.
    """
    about = party(request)
    try:
        challenge = _challenge(request, credential, subject)
        new = passkey_responses.verify_registration(
            about, credential, challenge.text, user_handle=challenge.user_handle
        )
    except Refused as refused:
        raise errors.PasskeyNotAdded from refused
    return new, challenge


async def add(
    tx: Transaction,
    by: Actor,
    user: User,
    registered: tuple[NewPasskey, Challenge],
    *,
    name: str | None = None,
) -> Passkey:
    """Add a passkey of `registration` to a user. Raises PasskeyNotAdded."""
    new, challenge = registered
    if not await challenges.use_once(tx, challenge):
        raise errors.PasskeyNotAdded
    try:
        return await passkeys.add(tx, by, user, new, name=name)
    except passkeys.NotAdded as refused:
        raise errors.PasskeyNotAdded(str(refused)) from None


def _challenge(request: web.Request, credential: Mapping[str, Any], subject: str) -> Challenge:
    """Return the challenge of an answer. Raises Refused."""
    text = passkey_responses.challenge_of(credential)
    found = challenges.read(request.app[context.ENCRYPTED], text, subject)
    if found is None:
        raise Refused("challenge")
    return found


def _new_handle() -> str:
    return base64url.encode(secrets.token_bytes(_HANDLE_BYTES)).decode()
