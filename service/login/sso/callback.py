"""The callback of a provider: find the user of the account and start the session."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from aiohttp import web

from service import errors, session, users
from service.audit import Actor
from service.config import RoleRule
from service.db import Transaction
from service.login.sso import attempt, same_issuer
from service.providers import identities, recent_logouts, sessions, used_answers
from service.providers.claim_values import Claimed, Unreadable
from service.providers.sessions import ProviderSession
from service.session.sign_in import NewSession
from service.telemetry import logs
from service.users import User
from service.web import context, responses

Facts = attempt.State


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalLogin:
    """A successful login at a provider.

    `session` has the provider, the subject and the session there. `username` is the name of a new
    user. With `trusted`, it is also the name of the existing user, without a link, unless another
    provider created that user. `facts` are the fields of a new user. `values` are the values of the
    claim `roles_claim` for `rules`; None if the provider does not control roles.

    `signed_in_at` is the provider's time of the sign-in, or 0. `has_ended` returns whether the
    session there has ended, as far as this process knows.
    """

    session: ProviderSession
    amr: str
    username: str
    trusted: bool = False
    facts: Mapping[str, Any] = field(default_factory=dict)
    rules: Collection[RoleRule] = ()
    roles_claim: str = ""
    values: Claimed | None = None
    signed_in_at: int = 0
    has_ended: Callable[[], bool] = bool


async def complete(
    request: web.Request,
    leaf: str,
    name: str,
    ask: Callable[[Facts], Awaitable[ExternalLogin | None]],
    *,
    start: str | None = None,
) -> web.Response:
    """Finish the attempt `name`: get the login from `ask`, once, and sign the user in.

    `start` is the path of a new attempt, by default `/auth/<leaf>`. `ask` gets the state of the
    attempt. If it returns None, redirect to the sign-in page. Deletes the attempt in any case.
    Raises AttemptUnknown, what `ask` raises, IdentityUnknown, UserUnknown, UsernameTaken,
    UsernameInvalid, TokenTooLarge.
    """
    if session.is_background_load(request):
        raise errors.PrefetchRefused
    location = "/"
    try:
        facts = attempt.load(request, leaf, name)
        location = str(facts["next"])
        seen = await request.app[context.NEWEST_LOGOUT].number()
        arrival = await ask(facts)
        response = (
            responses.redirect(attempt.sign_in_page(location))
            if arrival is None
            else await _sign_in(request, arrival, location, attempt_id=name, seen=seen)
        )
    except errors.Problem as problem:
        problem.links = attempt.failure_links(start or f"/auth/{leaf}", location)
        if not isinstance(problem, errors.AttemptUnknown):
            problem.headers["Set-Cookie"] = attempt.forget(request, leaf, name)
        raise
    response.headers.add("Set-Cookie", attempt.forget(request, leaf, name))
    return response


class _Outcome(NamedTuple):
    """A new session, and its changes."""

    begun: NewSession
    user: User
    is_kept: bool


async def _sign_in(
    request: web.Request, arrival: ExternalLogin, location: str, *, attempt_id: str, seen: int
) -> web.Response:
    """Mark the answer as used, find the user and start the session, in one transaction.

    So a concurrent disabling, deletion or unlinking takes effect before or after it, and a logout
    at the provider is stored before it or finds the session. `seen` is the newest logout when the
    browser came back.
    """
    outcome = None
    async with context.writing(request) as tx:
        await same_issuer.require(request, tx, arrival.session.provider)
        await _use(request, tx, arrival, attempt_id)
        # After a logout the answer still counts as used, so it cannot start a session later.
        if not await _has_ended(tx, arrival, seen):
            outcome = await _begin(request, tx, arrival)
    provider = arrival.session.provider
    if outcome is not None and arrival.has_ended():  # a logout since that check, before the commit
        async with context.writing(request) as tx:
            await sessions.end(tx, provider, handle=arrival.session.handle)
        outcome = None
    if outcome is None:
        context.log(request, "sign_in_ended", level=logs.WARNING, provider=provider)
        raise errors.AnswerRefused(_ENDED)
    _log(request, arrival, outcome)
    return session.respond(request, outcome.begun, location)


async def _use(
    request: web.Request, tx: Transaction, arrival: ExternalLogin, attempt_id: str
) -> None:
    """Mark an answer as used, once over all processes. Raises AttemptUnknown."""
    provider = arrival.session.provider
    if not await used_answers.use_once(tx, provider, used_answers.hashed(attempt_id)):
        context.log(request, "answer_used", level=logs.WARNING, provider=provider)
        raise errors.AttemptUnknown


async def _has_ended(tx: Transaction, arrival: ExternalLogin, seen: int) -> bool:
    """Return whether the session at the provider ended before the sign-in was complete."""
    came = arrival.session
    return arrival.has_ended() or await recent_logouts.has_ended(
        tx,
        came.provider,
        handle=came.handle,
        subject=came.subject,
        seen=seen,
        signed_in_at=arrival.signed_in_at,
    )


async def _begin(request: web.Request, tx: Transaction, arrival: ExternalLogin) -> _Outcome:
    """Start the session of the account's user, with the roles from the provider."""
    by, is_kept = _actor(request, arrival), False
    found = await _user(request, tx, by, arrival)
    if found["disabled"]:
        raise errors.UserUnknown
    user, rules, values = found, arrival.rules, arrival.values
    if values is not None:
        user, is_kept = await identities.follow_roles(tx, by, found, rules, values)
    begun = await session.start_for_provider(request, tx, user, arrival.session, amr=arrival.amr)
    return _Outcome(begun, user, is_kept)


def _log(request: web.Request, arrival: ExternalLogin, outcome: _Outcome) -> None:
    """Log roles that were kept; the values of a claim stay out."""
    provider, username = arrival.session.provider, outcome.user["username"]
    if outcome.is_kept:
        context.log(request, "roles_kept", level=logs.WARNING, user=username)
    if isinstance(arrival.values, Unreadable):
        context.log(
            request,
            "roles_unreadable",
            level=logs.WARNING,
            provider=provider,
            claim=arrival.roles_claim,
            reason=arrival.values.reason,
            user=username,
        )


async def _user(request: web.Request, tx: Transaction, by: Actor, arrival: ExternalLogin) -> User:
    """Return whose account it is; create the user if there is none and that is on."""
    came = arrival.session
    user = await identities.by_identity(tx, came.provider, came.subject)
    if user is None and arrival.trusted:
        user = await _of_trusted_name(request, tx, arrival)
    if user is not None:
        return user
    identity = {"provider": came.provider, "subject": came.subject}
    if not request.app[context.CONFIG].provision_users:
        raise errors.IdentityUnknown(extensions=identity)
    facts = dict(arrival.facts)
    if "email" in facts and await users.has_email(tx, facts["email"]):
        del facts["email"]  # applications behind us may know people by it
        name = arrival.username
        context.log(request, "email_taken", level=logs.WARNING, provider=came.provider, user=name)
    if "@" in arrival.username and await users.has_email(tx, arrival.username):
        raise errors.UsernameTaken(_TAKEN, extensions=identity)  # of whom applications would think
    try:
        return await identities.provision(
            tx, by, came.provider, came.subject, arrival.username, **facts
        )
    except errors.UsernameTaken:
        raise errors.UsernameTaken(_TAKEN, extensions=identity) from None
    except errors.UsernameInvalid:
        raise errors.UsernameInvalid(_IMPOSSIBLE, extensions=identity) from None


async def _of_trusted_name(
    request: web.Request, tx: Transaction, arrival: ExternalLogin
) -> User | None:
    """Return the user of a trusted name, unless another provider created that user.

    Accounts at that provider may choose their names, so two persons could share the user.
    """
    provider = arrival.session.provider
    user = await users.find_by_username(tx, arrival.username)
    if user is None or not (namers := await identities.other_namers(tx, user, provider)):
        return user
    context.log(
        request,
        "name_not_trusted",
        level=logs.WARNING,
        provider=provider,
        user=user["username"],
        named_by=",".join(namers),
    )
    return None


def _actor(request: web.Request, arrival: ExternalLogin) -> Actor:
    """Return the provider as an actor of the audit log."""
    name = identities.actor_name(arrival.session.provider)
    return Actor(
        name, client=context.client_name(request), request_id=context.request_info(request).id
    )


_ENDED = "You signed out at the provider while you were signing in here. Start the sign-in again."
_TAKEN = (
    "A user with this name already exists, and this account is not linked to that user. Ask your"
    " administrator to link it, and send them the provider and subject below."
)
_IMPOSSIBLE = (
    "The name of this account is not a valid user name, or is an e-mail address that the provider"
    " has not verified. Ask your administrator to create a user and to link this account to it, and"
    " send them the provider and subject below."
)
