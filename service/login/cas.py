"""CAS sign-in: `GET /auth/cas` starts and finishes it, `POST /auth/cas` is single logout."""

from collections.abc import AsyncIterator, Sequence
from functools import partial
from urllib.parse import parse_qs, urlencode

from aiohttp import web

from service import errors
from service.config import Config
from service.login import sso
from service.login.sso import profile
from service.login.sso.profile import Profile
from service.parsing import content_type
from service.parsing.over_limit import OverLimit
from service.providers import cas, claim_values, recent_logouts, sessions
from service.providers.claim_values import Claimed, Unreadable
from service.providers.deferred_logouts import DeferredLogouts
from service.providers.registry import LoginOption
from service.providers.sessions import ProviderSession
from service.telemetry import logs
from service.web import access, background, context

DEFERRED = web.AppKey("deferred_logouts", DeferredLogouts)
NAME = "cas"
_PATH = "/auth/cas"
_MAX_FIELDS = 10
_MAX_FORM = 4 * cas.MOST_LOGOUT_BYTES
"""The maximum size of a form in bytes. A percent-encoded byte takes three."""


@access.public
async def sign_in(request: web.Request) -> web.Response:
    """GET /auth/cas[?next=][&gateway=true][&prompt=]: redirects to CAS; with `ticket`, signs in."""
    query = request.query
    if "attempt" not in query and "ticket" not in query:
        return await _set_out(request)
    attempts = query.getall("attempt", [])
    reference = attempts[0] if len(attempts) == 1 else ""
    tickets = query.getall("ticket", [])
    ticket = tickets[0] if len(tickets) == 1 and cas.TICKET.fullmatch(tickets[0]) else ""

    # Register before contacting the CAS server: its logout may arrive at once.
    with request.app[sso.PENDING].beginning(cas.handle(ticket)):
        try:
            async with sso.resume(request, NAME, reference, start=_PATH) as resumed:
                if not tickets and resumed.state["gateway"]:
                    return resumed.to_sign_in_page()
                if not ticket:
                    raise errors.TicketInvalid
                # Contact the CAS server once per attempt, as cookie and URL can be replayed.
                if not request.app[sso.REPLAYS].add(f"{NAME} {resumed.id}", sso.SECONDS):
                    context.log(request, "answer_used", level=logs.WARNING, provider=NAME)
                    raise errors.AttemptUnknown
                return await resumed.sign_in(await _fetch_login(request, reference, ticket))
        except sso.SPENT as problem:
            return await sso.respond_to_spent(
                request,
                problem,
                NAME,
                reference,
                parameter="attempt",
                start=_PATH,
                has_answer=bool(ticket),
            )


@access.public
@access.csrf_exempt
async def sign_out(request: web.Request) -> web.Response:
    """POST /auth/cas: ends a session after a logout at the CAS server (single logout)."""
    handle = cas.handle(cas.read_logout_request(await _logout_request(request)))
    # The order matters: a sign-in that is no longer pending has stored its session. One that is
    # pending checks again after it has.
    request.app[sso.PENDING].end(handle)
    try:
        ended = await _end_if_known(request, handle)
    except errors.Overloaded:
        request.app[DEFERRED].add(handle)  # the CAS server may not send it again
        ended = 0
    if ended:
        context.log(request, "sign_out", scope="provider", provider=NAME, sessions=ended)
    return web.Response(status=204)


async def _end_if_known(request: web.Request, handle: str) -> int:
    """End the session of a ticket, also one that is starting. Return the number of sessions.

    Raises Overloaded.
    """
    async with request.app[context.LOOKUPS]:
        is_known = await sessions.exists(request.app[context.DATABASE], NAME, handle)
    # Anyone can guess tickets, so limit the guesses that use the writer.
    remembers = not is_known and await _is_worth_a_row(request, handle)
    return await _end(request.app, handle, remembers=remembers) if is_known or remembers else 0


async def _is_worth_a_row(request: web.Request, handle: str) -> bool:
    """Return whether to store a logout without a session, for sign-ins in other processes.

    Above the budget, the logout is deferred: its session is looked for later. Raises Overloaded.
    """
    async with request.app[context.LOOKUPS]:
        if await recent_logouts.is_known(request.app[context.DATABASE], NAME, handle):
            return False
    if request.app[sso.PENDING].may_write():
        return True
    request.app[DEFERRED].add(handle)
    return False


async def _end(app: web.Application, handle: str, *, remembers: bool = False) -> int:
    """End the sessions of a ticket, and return their number.

    With `remembers`, also end a session that is starting. Raises DatabaseUnavailable.
    """
    async with context.writing_in(app) as tx:
        if remembers:
            await recent_logouts.remember(tx, NAME, handle=handle)
        return await sessions.end(tx, NAME, handle=handle)


async def _deferred_logouts(app: web.Application) -> AsyncIterator[None]:
    """Look again for the sessions of deferred logouts while the application runs."""
    deferred = app[DEFERRED] = DeferredLogouts()

    async def find(handles: Sequence[str]) -> set[str]:
        async with app[context.LOOKUPS].unrefused():
            return await sessions.existing(app[context.DATABASE], NAME, handles)

    async def end(handle: str) -> None:
        if ended := await _end(app, handle):
            logs.event("sign_out", scope="provider", provider=NAME, sessions=ended)

    async with background.running(deferred.run(find, end)):
        yield


def routes(_config: Config) -> list[web.RouteDef]:
    """Return the routes of sign-in and single logout."""
    return [web.get(_PATH, sign_in, allow_head=False), web.post(_PATH, sign_out)]


def providers(app: web.Application, config: Config) -> list[LoginOption]:
    """Return the CAS server of the settings, as a sign-in option, with its deferred logouts."""
    app.cleanup_ctx.append(_deferred_logouts)

    async def leave(_session: ProviderSession, back: str) -> str:
        return cas.logout_address(str(config.cas_url), back)

    return [LoginOption(name=NAME, label="CAS", start=_PATH, leave=leave)]


async def _set_out(request: web.Request) -> web.Response:
    config = request.app[context.CONFIG]
    attempt = sso.new(request, NAME)
    gateway = request.query.getall("gateway", []) == ["true"]
    # Only a new password lets the user choose another account.
    chooses = bool(sso.choice(request))
    service = _service(config, attempt.reference)
    to = cas.login_address(
        str(config.cas_url), service, renew=config.cas_renew or chooses, gateway=gateway
    )
    return await sso.begin(request, NAME, attempt, {"gateway": gateway}, to=to)


async def _fetch_login(request: web.Request, reference: str, ticket: str) -> sso.ExternalLogin:
    """Validate a ticket at the CAS server and return the login."""
    config = request.app[context.CONFIG]
    address = cas.validate_address(
        str(config.cas_url),
        config.cas_version,
        _service(config, reference),
        ticket,
        renew=config.cas_renew,
    )
    outbound = request.app[sso.OUTBOUND]
    known = cas.read_answer(await outbound.get(address, accept="application/xml, text/xml"))
    trusted, named_by = config.cas_trust_usernames, config.cas_username_attribute
    subject = cas.as_username(known.user) if trusted else known.user
    name = known.user if named_by is None else known.one(named_by) or ""
    attribute, told = config.cas_roles_attribute, _profile(config, known)
    handle, pending = cas.handle(ticket), request.app[sso.PENDING]
    return sso.ExternalLogin(
        session=ProviderSession(NAME, subject, handle),
        amr=(NAME,),
        username=cas.as_username(name) if trusted else name,
        trusted=trusted,
        facts=told.facts,
        ignored=told.ignored,
        rules=config.cas_roles,
        roles_claim=attribute or "",
        values=None if attribute is None else _roles(known, attribute),
        has_ended=partial(pending.has_ended, handle),
    )


def _profile(config: Config, known: cas.Known) -> Profile:
    """Return the name and the e-mail address of a new user, and why one of them is ignored.

    Attributes of a directory, such as `mail`, may have several values: the first usable one counts.
    """
    attributes = {"name": config.cas_name_attribute, "email": config.cas_email_attribute}
    return profile.read({field: known.values(each) for field, each in attributes.items() if each})


def _roles(known: cas.Known, attribute: str) -> Claimed:
    """Return the values of the roles attribute."""
    if attribute in known.unreadable:
        return Unreadable("elements", frozenset(known.attributes.get(attribute, ())))
    return claim_values.of_attribute(known.attributes.get(attribute))


def _service(config: Config, reference: str) -> str:
    """Return the service URL, from the settings and the reference of the attempt only."""
    return f"{config.cas_service_url}{_PATH}?{urlencode({'attempt': reference})}"


async def _logout_request(request: web.Request) -> str:
    """Return the field `logoutRequest` of a form. Raises LogoutRequestInvalid."""
    if content_type.of(request.headers).type != content_type.FORM:
        raise errors.ContentTypeUnsupported(f"Send the body as {content_type.FORM}.")
    data = await request.read()
    if len(data) > _MAX_FORM:
        detail = f"The form is too large: the limit is {_MAX_FORM:,} bytes."
        raise errors.LogoutRequestInvalid(detail) from OverLimit(f"{_MAX_FORM:,} bytes of a form")
    try:
        fields = parse_qs(data.decode(), max_num_fields=_MAX_FIELDS, errors="strict")
    except ValueError:
        raise errors.LogoutRequestInvalid from ValueError("the form")
    values = fields.get("logoutRequest", [])
    if len(values) != 1:
        raise errors.LogoutRequestInvalid from ValueError(f"{len(values)} of logoutRequest")
    return values[0]
