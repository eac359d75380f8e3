"""Sign-in by CAS: `GET /auth/cas` there and back, `POST /auth/cas` for single logout."""

from urllib.parse import parse_qs, urlencode

from aiohttp import web

from service import cas, context, errors, marks, provider_sessions
from service.config import Config
from service.login import sso
from service.provider_sessions import ProviderSession
from service.providers import Provider

NAME = "cas"
_PATH = "/auth/cas"
_FORM = "application/x-www-form-urlencoded"
_MAX_FIELDS = 10


@marks.public
async def sign_in(request: web.Request) -> web.Response:
    """GET /auth/cas[?next=][&gateway=true]: to the CAS server; with `ticket`, back from there."""
    query = request.query
    if "attempt" not in query and "ticket" not in query:
        return await _set_out(request)
    attempts = query.getall("attempt", [])
    attempt = attempts[0] if len(attempts) == 1 else ""

    async def ask(facts: sso.Facts) -> sso.Arrival | None:
        tickets = query.getall("ticket", [])
        if not tickets and facts["gateway"]:
            return None
        if len(tickets) != 1 or not cas.TICKET.fullmatch(tickets[0]):
            raise errors.TicketInvalid
        return await _arrival(request, attempt, tickets[0])

    return await sso.come_back(request, NAME, attempt, ask)


@marks.public
@marks.cookieless
async def sign_out(request: web.Request) -> web.Response:
    """POST /auth/cas: the CAS server says that a session has ended there (single logout)."""
    handle = cas.handle(cas.read_logout_request(await _logout_request(request)))
    database = request.app[context.DATABASE]
    # A stranger's guesses never get as far as the one writer.
    async with request.app[context.LOOKUPS]:
        is_known = await provider_sessions.known(database, NAME, handle)
    if is_known:
        async with database.transaction() as tx:
            ended = await provider_sessions.end(tx, NAME, handle=handle)
        await request.app[context.REVOCATION].catch_up_with_own()
        context.log(request, "sign_out", scope="provider", provider=NAME, sessions=ended)
    return web.Response(status=204)


def provider(config: Config) -> Provider:
    """Return the CAS server of the settings."""

    async def leave(_session: ProviderSession, back: str) -> str:
        return cas.logout_address(str(config.cas_url), back)

    return Provider(name=NAME, label="CAS", start=_PATH, leave=leave)


async def _set_out(request: web.Request) -> web.Response:
    config = request.app[context.CONFIG]
    attempt = sso.fresh()
    gateway = request.query.getall("gateway", []) == ["true"]
    to = cas.login_address(
        str(config.cas_url), _service(config, attempt), renew=config.cas_renew, gateway=gateway
    )
    return await sso.begin(request, NAME, attempt, {"gateway": gateway}, to=to)


async def _arrival(request: web.Request, attempt: str, ticket: str) -> sso.Arrival:
    """Ask the CAS server, once, who came with a ticket."""
    config = request.app[context.CONFIG]
    address = cas.validate_address(
        str(config.cas_url),
        config.cas_version,
        _service(config, attempt),
        ticket,
        renew=config.cas_renew,
    )
    outbound = request.app[sso.OUTBOUND]
    known = cas.read_answer(await outbound.get(address, accept="application/xml, text/xml"))
    trusted = config.cas_trust_usernames
    subject = cas.as_username(known.user) if trusted else known.user
    attribute = config.cas_roles_attribute
    return sso.Arrival(
        session=ProviderSession(NAME, subject, cas.handle(ticket)),
        amr=NAME,
        username=subject,
        trusted=trusted,
        rules=config.cas_roles,
        values=None if attribute is None else known.attributes.get(attribute, ()),
    )


def _service(config: Config, attempt: str) -> str:
    """Return the address to come back to: from the settings alone, never from the request."""
    return f"{config.cas_service_url}{_PATH}?{urlencode({'attempt': attempt})}"


async def _logout_request(request: web.Request) -> str:
    """Return the one field `logoutRequest` of a form."""
    if request.content_type != _FORM:
        raise errors.ContentTypeUnsupported(f"Send the body as {_FORM}.")
    try:
        text = (await request.read()).decode()
        fields = parse_qs(text, max_num_fields=_MAX_FIELDS, errors="strict")
    except ValueError:
        raise errors.LogoutRequestInvalid from None
    values = fields.get("logoutRequest", [])
    if len(values) != 1:
        raise errors.LogoutRequestInvalid
    return values[0]


ROUTES = (
    web.get(_PATH, sign_in, allow_head=False),
    web.post(_PATH, sign_out),
)
