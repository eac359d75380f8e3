"""Coming back from a provider: whose account it is, and the session that follows."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from service import context, errors, identities, logs, session, users
from service.audit import Actor
from service.config import RoleRule
from service.login.sso import attempt
from service.provider_sessions import ProviderSession
from service.users import User

Facts = attempt.Facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """Somebody whom a provider knows.

    `session` names provider, subject and the session there; `username` is what a user created for
    the subject is called, and with `trusted`, the user whom the subject is without a link; `facts`
    of a new user are those of users.create. `values` are those that `rules` speak of; None where
    the provider has no say about roles.
    """

    session: ProviderSession
    amr: str
    username: str
    trusted: bool = False
    facts: Mapping[str, Any] = field(default_factory=dict)
    rules: Collection[RoleRule] = ()
    values: Collection[str] | None = None


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
        arrival = await ask(facts)
        response = (
            web.Response(status=302, headers={"Location": attempt.sign_in_page(location)})
            if arrival is None
            else await _sign_in(request, arrival, location)
        )
    except errors.Problem as problem:
        problem.links = attempt.ways_on(start or f"/auth/{leaf}", location)
        if not isinstance(problem, errors.AttemptUnknown):
            problem.headers["Set-Cookie"] = attempt.forget(request, leaf, name)
        raise
    response.headers.add("Set-Cookie", attempt.forget(request, leaf, name))
    return response


async def _sign_in(request: web.Request, arrival: Arrival, location: str) -> web.Response:
    user = await _user(request, arrival)
    if user["disabled"]:
        raise errors.UserUnknown
    if arrival.values is not None:
        user = await _with_roles(request, arrival, user)
    return await session.sign_in_from(
        request, user, arrival.session, amr=arrival.amr, location=location
    )


async def _user(request: web.Request, arrival: Arrival) -> User:
    """Return whose account it is, creating the user where that is switched on."""
    database, came = request.app[context.DATABASE], arrival.session
    user = await identities.by_identity(database, came.provider, came.subject)
    if user is None and arrival.trusted:
        user = await users.by_username(database, arrival.username)
    if user is not None:
        return user
    told = {"provider": came.provider, "subject": came.subject}
    if not request.app[context.CONFIG].provision_users:
        raise errors.IdentityUnknown(facts=told)
    try:
        return await _provision(request, arrival)
    except errors.UsernameTaken:
        raise errors.UsernameTaken(_TAKEN, facts=told) from None
    except errors.UsernameInvalid:
        raise errors.UsernameInvalid(_IMPOSSIBLE, facts=told) from None


async def _provision(request: web.Request, arrival: Arrival) -> User:
    came = arrival.session
    async with request.app[context.DATABASE].transaction() as tx:
        user = await identities.provision(
            tx,
            _actor(request, arrival),
            came.provider,
            came.subject,
            arrival.username,
            **arrival.facts,
        )
    context.log(request, "user_create", user=user["username"], by=came.provider)
    return user


async def _with_roles(request: web.Request, arrival: Arrival, user: User) -> User:
    """Return the user with the roles that the provider tells, if somebody can still manage."""
    try:
        async with request.app[context.DATABASE].transaction() as tx:
            by = _actor(request, arrival)
            values = arrival.values or ()
            updated = await identities.follow_roles(tx, by, user["id"], arrival.rules, values)
    except errors.UserNotFound:
        raise errors.UserUnknown from None
    except errors.LastManager:
        context.log(request, "roles_kept", level=logs.WARNING, user=user["username"])
        return user
    if updated["version"] != user["version"]:
        await request.app[context.REVOCATION].catch_up_with_own()
    return updated


def _actor(request: web.Request, arrival: Arrival) -> Actor:
    """Return the provider as the audit names it."""
    name = f"provider:{arrival.session.provider}"
    return Actor(name, client=context.client_name(request), request_id=context.call(request).id)


_TAKEN = (
    "There is a user of this name already, and this account is not linked with it: nobody is taken"
    " over by a name. Ask whoever runs this service to link it, and send them these two lines."
)
_IMPOSSIBLE = (
    "The name of this account cannot be a user name here. Ask whoever runs this service to create a"
    " user and to link this account with it, and send them these two lines."
)
