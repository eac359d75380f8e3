"""The callback of a provider: find the user of the account and start the session."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urlencode

from aiohttp import web

from service import errors, session, users
from service.audit import Actor
from service.db import Transaction
from service.login.sso import attempt, attempt_cookies, log, same_issuer, spent, updates
from service.login.sso.external_login import ExternalLogin
from service.providers import identities, recent_logouts, registry, sessions, used_answers
from service.providers.identities import FollowedRoles
from service.session.sign_in import NewSession
from service.telemetry import logs
from service.users import User
from service.web import context, responses


@dataclass(frozen=True, slots=True)
class Resumed:
    """An attempt that a browser has come back to. `state` is what the attempt stored."""

    request: web.Request
    method: str
    id: str
    state: attempt_cookies.State
    seen: int
    """The newest logout when the browser came back."""

    @property
    def location(self) -> str:
        """Where the sign-in leads to."""
        return str(self.state["next"])

    async def sign_in(self, login: ExternalLogin) -> web.Response:
        """Sign the user of an account in, and end the attempt.

        Raises AttemptUnknown, AnswerRefused, IdentityUnknown, UserUnknown, UsernameTaken,
        UsernameInvalid, TokenTooLarge.
        """
        return self._ended(
            await _sign_in(self.request, login, self.location, attempt_id=self.id, seen=self.seen)
        )

    def start_again(self, start: str, **query: str) -> web.Response:
        """End the attempt without a sign-in, and redirect to a new one with a query.

        If the user was to choose an account, that remains.
        """
        parameters = urlencode({"next": self.location, **_choice_of(self.state), **query})
        return self._ended(responses.redirect(f"{start}?{parameters}"))

    def to_sign_in_page(self) -> web.Response:
        """End the attempt without a sign-in, and redirect to the sign-in page."""
        return self._ended(responses.redirect(attempt.sign_in_page(self.request, self.location)))

    def _ended(self, response: web.Response) -> web.Response:
        for line in attempt_cookies.forget(self.request, self.method, self.id):
            response.headers.add("Set-Cookie", line)
        return response


@asynccontextmanager
async def resume(
    request: web.Request, method: str, reference: str, *, start: str
) -> AsyncIterator[Resumed]:
    """Yield an attempt. If the block raises a Problem, the attempt ends, and its page has links.

    `start` is the path of a new attempt. Raises AttemptUnknown, PrefetchRefused.
    """
    if session.is_background_load(request):
        raise errors.PrefetchRefused
    attempt_id, state = attempt.id_of(reference), attempt_cookies.State()
    try:
        if spent.has_landed(request):
            raise errors.AttemptUnknown
        state = attempt_cookies.load(request, method, attempt_id)
        seen = await request.app[context.NEWEST_LOGOUT].number()
        yield Resumed(request, method, attempt_id, state, seen)
    except errors.Problem as problem:
        location = attempt.goal(request, method, reference)
        is_of_account = isinstance(problem, attempt.OF_ACCOUNT)
        chosen = registry.CHOOSE_ACCOUNT if is_of_account else _choice_of(state)
        problem.links = attempt.failure_links(request, start, location, chosen)
        if not isinstance(problem, errors.AttemptUnknown):
            problem.cookies += attempt_cookies.forget(request, method, attempt_id)
        raise


def _choice_of(state: attempt_cookies.State) -> dict[str, str]:
    """Return the parameter by which an attempt let the user choose an account, if any."""
    return dict(state.get("choice", {}))


class _Outcome(NamedTuple):
    """A new session, and its changes."""

    begun: NewSession
    user: User
    followed: FollowedRoles | None


async def _sign_in(
    request: web.Request, login: ExternalLogin, location: str, *, attempt_id: str, seen: int
) -> web.Response:
    """Mark the answer as used, find the user and start the session, in one transaction.

    So a concurrent disabling, deletion or unlinking takes effect before or after it, and a logout
    at the provider is stored before it or finds the session. `seen` is the newest logout when the
    browser came back.
    """
    outcome = None
    async with context.writing(request) as tx:
        await same_issuer.require(request, tx, login.session.provider)
        await _use(request, tx, login, attempt_id)
        # After a logout the answer still counts as used, so it cannot start a session later.
        if not await _has_ended(tx, login, seen):
            outcome = await _begin(request, tx, login)
    provider = login.session.provider
    if outcome is not None and login.has_ended():  # a logout since that check, before the commit
        async with context.writing(request) as tx:
            await sessions.end(tx, provider, handle=login.session.handle)
        outcome = None
    if outcome is None:
        context.log(request, "sign_in_ended", level=logs.WARNING, provider=provider)
        raise errors.AnswerRefused(_ENDED)
    log.roles(request, login, outcome.user, outcome.followed)
    return session.respond(request, outcome.begun, location)


async def _use(
    request: web.Request, tx: Transaction, login: ExternalLogin, attempt_id: str
) -> None:
    """Mark an answer as used, once over all processes. Raises AttemptUnknown."""
    provider = login.session.provider
    if not await used_answers.use_once(tx, provider, used_answers.hashed(attempt_id)):
        context.log(request, "answer_used", level=logs.WARNING, provider=provider)
        raise errors.AttemptUnknown


async def _has_ended(tx: Transaction, login: ExternalLogin, seen: int) -> bool:
    """Return whether the session at the provider ended before the sign-in was complete."""
    came = login.session
    return login.has_ended() or await recent_logouts.has_ended(
        tx,
        came.provider,
        handle=came.handle,
        subject=came.subject,
        seen=seen,
        signed_in_at=login.signed_in_at,
    )


async def _begin(request: web.Request, tx: Transaction, login: ExternalLogin) -> _Outcome:
    """Start the session of the account's user, with the roles from the provider."""
    by, followed = _actor(request, login), None
    found = await _user(request, tx, by, login)
    if found["disabled"]:
        raise errors.UserUnknown
    user, rules, values = found, login.rules, login.values
    if values is not None:
        followed = await identities.follow_roles(tx, by, found, rules, values)
        user = followed.user
    begun = await session.start_for_provider(request, tx, user, login.session, amr=login.amr)
    return _Outcome(begun, user, followed)


async def _user(request: web.Request, tx: Transaction, by: Actor, login: ExternalLogin) -> User:
    """Return whose account it is; create the user if there is none and that is on."""
    came = login.session
    user = await identities.by_identity(tx, came.provider, came.subject)
    if user is None and login.trusted:
        user = await _of_trusted_name(request, tx, login)
    if user is not None:
        return await updates.follow(request, tx, by, user, login)
    identity = {"provider": came.provider, "subject": came.subject}
    if not request.app[context.CONFIG].provision_users:
        raise errors.IdentityUnknown(extensions=identity)
    facts, username = dict(login.facts), updates.new_username(request, login)
    if "email" in facts and await users.has_email(tx, facts["email"]):
        del facts["email"]  # applications may identify users by it
        provider = came.provider
        context.log(request, "email_taken", level=logs.WARNING, provider=provider, user=username)
    # An application may take such a name for the address of the other user.
    if "@" in username and await users.has_email(tx, username):
        raise errors.UsernameTaken(_TAKEN, extensions=identity)
    try:
        created = await identities.provision(tx, by, came.provider, came.subject, username, **facts)
    except errors.UsernameTaken:
        raise errors.UsernameTaken(_TAKEN, extensions=identity) from None
    except errors.InvalidName:
        reason = ValueError("not a user name" if username else "no user name")
        raise errors.UsernameInvalid(_IMPOSSIBLE, extensions=identity) from reason
    log.ignored_facts(request, login)
    return created


async def _of_trusted_name(
    request: web.Request, tx: Transaction, login: ExternalLogin
) -> User | None:
    """Return the user of a trusted name, unless another provider created that user.

    Accounts at that provider may choose their names, so two persons could share the user.
    """
    provider = login.session.provider
    user = await users.find_by_username(tx, login.username)
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


def _actor(request: web.Request, login: ExternalLogin) -> Actor:
    """Return the provider as an actor of the audit log."""
    name = identities.actor_name(login.session.provider)
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
