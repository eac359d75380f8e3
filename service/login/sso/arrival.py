"""Coming back from a provider: whose account it is, and the session that follows."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from service import (
    answers,
    context,
    errors,
    identities,
    logs,
    provider_logouts,
    session,
    users,
)
from service.audit import Actor
from service.claim_values import Claimed, Unreadable
from service.config import RoleRule
from service.db import Transaction
from service.login.sso import attempt
from service.provider_sessions import ProviderSession
from service.users import User

Facts = attempt.Facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """Somebody whom a provider knows.

    `session` names provider, subject and the session there; `username` is what a user created for
    the subject is called, and with `trusted`, the user whom the subject is without a link; `facts`
    of a new user are those of users.create. `values` are those that `rules` speak of, from the
    claim `roles_claim`; None where the provider has no say about roles.

    `once` are hashes of what counts once besides the attempt. `signed_in_at` is the provider's time
    of the sign-in, if it tells one; `has_ended` tells whether the session there has ended, as far
    as this process knows.
    """

    session: ProviderSession
    amr: str
    username: str
    trusted: bool = False
    facts: Mapping[str, Any] = field(default_factory=dict)
    rules: Collection[RoleRule] = ()
    roles_claim: str = ""
    values: Claimed | None = None
    once: tuple[str, ...] = ()
    signed_in_at: int = 0
    has_ended: Callable[[], bool] = bool


async def come_back(
    request: web.Request,
    leaf: str,
    name: str,
    ask: Callable[[Facts], Awaitable[Arrival | None]],
    *,
    start: str | None = None,
) -> web.Response:
    """Finish the attempt `name`: `ask` the provider who came, once, and sign that user in.

    `start` is the path where one begins again, `/auth/<leaf>` if it is not given. `ask` gets what
    the attempt remembers; None is for nobody, who is led to the sign-in page. The attempt is over,
    however it ends. Raises AttemptUnknown, what `ask` raises, IdentityUnknown, UserUnknown,
    UsernameTaken, UsernameInvalid, TokenTooLarge.
    """
    if session.is_prefetch(request):
        raise errors.PrefetchRefused
    location = "/"
    try:
        facts = attempt.facts_of(request, leaf, name)
        location = str(facts["next"])
        seen = await provider_logouts.newest(request.app[context.DATABASE])
        arrival = await ask(facts)
        response = (
            web.Response(status=302, headers={"Location": attempt.sign_in_page(location)})
            if arrival is None
            else await _sign_in(request, arrival, location, attempt_id=name, seen=seen)
        )
    except errors.Problem as problem:
        problem.links = attempt.ways_on(start or f"/auth/{leaf}", location)
        if not isinstance(problem, errors.AttemptUnknown):
            problem.headers["Set-Cookie"] = attempt.forget(request, leaf, name)
        raise
    response.headers.add("Set-Cookie", attempt.forget(request, leaf, name))
    return response


async def _sign_in(
    request: web.Request, arrival: Arrival, location: str, *, attempt_id: str, seen: int
) -> web.Response:
    """Use the answer, read whose account it is, and begin the session, in one transaction.

    Who is disabled, deleted or unlinked at the same time is so before it, or after; a logout at the
    provider is remembered before it, or finds the session. `seen` is the newest logout when the
    browser came back.
    """
    came, by, is_kept = arrival.session, _actor(request, arrival), False
    async with request.app[context.DATABASE].transaction() as tx:
        await _use(request, tx, arrival, attempt_id, seen)
        found, is_new = await _user(request, tx, by, arrival)
        if found["disabled"]:
            raise errors.UserUnknown
        user, rules, values = found, arrival.rules, arrival.values
        if values is not None:
            user, is_kept = await identities.follow_roles(tx, by, found, rules, values)
        begun = await session.begin_from(request, tx, user, came, amr=arrival.amr)
    if is_new:
        context.log(request, "user_create", user=user["username"], by=came.provider)
    if is_kept:
        context.log(request, "roles_kept", level=logs.WARNING, user=user["username"])
    if isinstance(values, Unreadable):
        _log_unreadable(request, arrival, user, values)
    if user["version"] != found["version"]:
        await request.app[context.REVOCATION].catch_up_with_own()
    return session.land_from(request, begun, location)


async def _use(
    request: web.Request, tx: Transaction, arrival: Arrival, attempt_id: str, seen: int
) -> None:
    """Count an answer, once over all processes. Raises AttemptUnknown, AnswerRefused."""
    came = arrival.session
    if not await answers.use_once(tx, came.provider, answers.hashed(attempt_id), *arrival.once):
        context.log(request, "answer_used", level=logs.WARNING, provider=came.provider)
        raise errors.AttemptUnknown
    if arrival.has_ended() or await provider_logouts.has_ended(
        tx,
        came.provider,
        handle=came.handle,
        subject=came.subject,
        seen=seen,
        signed_in_at=arrival.signed_in_at,
    ):
        context.log(request, "sign_in_ended", level=logs.WARNING, provider=came.provider)
        raise errors.AnswerRefused(_ENDED)


def _log_unreadable(request: web.Request, arrival: Arrival, user: User, values: Unreadable) -> None:
    """Warn that roles were kept because the claim could not be read; its values stay out."""
    context.log(
        request,
        "roles_unreadable",
        level=logs.WARNING,
        provider=arrival.session.provider,
        claim=arrival.roles_claim,
        reason=values.reason,
        user=user["username"],
    )


async def _user(
    request: web.Request, tx: Transaction, by: Actor, arrival: Arrival
) -> tuple[User, bool]:
    """Return whose account it is, and whether the user was created just now, if that is on."""
    came = arrival.session
    user = await identities.by_identity(tx, came.provider, came.subject)
    if user is None and arrival.trusted:
        user = await users.by_username(tx, arrival.username)
    if user is not None:
        return user, False
    told = {"provider": came.provider, "subject": came.subject}
    if not request.app[context.CONFIG].provision_users:
        raise errors.IdentityUnknown(facts=told)
    try:
        created = await identities.provision(
            tx, by, came.provider, came.subject, arrival.username, **arrival.facts
        )
    except errors.UsernameTaken:
        raise errors.UsernameTaken(_TAKEN, facts=told) from None
    except errors.UsernameInvalid:
        raise errors.UsernameInvalid(_IMPOSSIBLE, facts=told) from None
    return created, True


def _actor(request: web.Request, arrival: Arrival) -> Actor:
    """Return the provider as the audit names it."""
    name = f"provider:{arrival.session.provider}"
    return Actor(name, client=context.client_name(request), request_id=context.call(request).id)


_ENDED = "You signed out at the provider while you were signing in here. Start the sign-in again."
_TAKEN = (
    "There is a user of this name already, and this account is not linked with it: nobody is taken"
    " over by a name. Ask whoever runs this service to link it, and send them these two lines."
)
_IMPOSSIBLE = (
    "The name of this account cannot be a user name here, or is an e-mail address that the provider"
    " has not checked. Ask whoever runs this service to create a user and to link this account with"
    " it, and send them these two lines."
)
