"""Signing in: `GET /auth/oidc`, out to the provider, and `GET /auth/oidc/callback`, back."""

import contextlib
from collections.abc import Collection, Mapping
from functools import partial
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from service import bodies, context, errors, identities, logs, marks, session
from service.config import openid
from service.login import sso
from service.login.oidc import clients
from service.login.sso import attempt
from service.openid import Rejected, authorization, logout_token
from service.openid.metadata import Metadata
from service.openid.provider import Provider
from service.openid.token import Tokens
from service.provider_sessions import ProviderSession

_LEAF = "oidc"
_MAX_HINT = 3072
"""An ID token above this is not kept: signing out carries it in an address."""
_BUSY = frozenset({"server_error", "temporarily_unavailable"})
_DENIED = (
    "The provider says that access was denied: you said no there, or may not use this service."
    " Begin again, or ask whoever runs the provider."
)
_NOT_TAKEN = (
    "The provider did not take our question. Begin again; whoever runs this service finds the"
    " reason in its log."
)


@marks.public
async def start(request: web.Request) -> web.Response:
    """GET /auth/oidc[/{provider}][?next=]: out to a provider; the cookie remembers the attempt."""
    has_name = "provider" in request.match_info
    if not has_name and openid.PLAIN not in request.app[clients.CLIENTS]:
        query = urlencode({"next": session.next_address(request)})
        return web.Response(status=302, headers={"Location": f"/auth/login?{query}"})
    if session.is_background_load(request):
        raise errors.PrefetchRefused
    provider = clients.named(request)
    state, bound = sso.fresh(), authorization.new_secrets()
    try:
        to = authorization.address(
            await _metadata(request, provider),
            client_id=provider.settings.client_id,
            redirect_uri=_redirect_uri(request, provider),
            scopes=provider.settings.scopes,
            state=state,
            bound=bound,
        )
    except errors.Problem as problem:
        location = session.next_address(request)
        problem.links = attempt.ways_on(provider.settings.start, location)
        raise
    facts = {"provider": provider.settings.name, "nonce": bound.nonce, "verifier": bound.verifier}
    return await sso.begin(request, _LEAF, state, facts, to=to)


@marks.public
async def callback(request: web.Request) -> web.Response:
    """GET /auth/oidc[/{provider}]/callback: back from the provider; signs in."""
    provider = clients.named(request)
    answer = {name: request.query.getall(name) for name in request.query}
    states = answer.get("state", [])
    return await sso.come_back(
        request,
        _LEAF,
        states[0] if len(states) == 1 else "",
        partial(_ask, request, provider, answer),
        start=provider.settings.start,
    )


async def _ask(
    request: web.Request,
    provider: Provider,
    answer: Mapping[str, Collection[str]],
    facts: Mapping[str, Any],
) -> sso.Arrival:
    """Return who came, as the provider says; it is asked at most once for each attempt."""
    try:
        _check_attempt(request, provider, answer, facts)
        code = authorization.read_code(answer, await provider.metadata())
        uri = _redirect_uri(request, provider)
        tokens = await provider.redeem(code, facts["verifier"], uri)
        claims = await provider.identify(tokens, facts["nonce"])
        claims = await _completed(request, provider, tokens, claims)
    except authorization.Denied as denied:
        raise _denial(request, provider, denied) from None
    except Rejected as rejected:
        raise clients.refusal(request, provider, rejected) from None
    return _arrival(provider, tokens, claims)


def _check_attempt(
    request: web.Request,
    provider: Provider,
    answer: Mapping[str, Collection[str]],
    facts: Mapping[str, Any],
) -> None:
    """Check that the attempt was at this provider, and that nobody has come back from it yet."""
    if facts["provider"] != provider.settings.name:
        raise Rejected("issuer_mixed_up")
    (state,) = answer["state"]
    if not request.app[clients.REPLAYS].is_new(f"state {state}", attempt.SECONDS):
        raise Rejected("state_used")


async def _completed(
    request: web.Request, provider: Provider, tokens: Tokens, claims: dict[str, Any]
) -> dict[str, Any]:
    """Return the claims, with those that we need and miss from the provider's `userinfo`."""
    settings = provider.settings
    needed = set() if settings.roles_claim is None else {settings.roles_claim}
    database = request.app[context.DATABASE]
    if request.app[context.CONFIG].provision_users and (
        await identities.by_identity(database, settings.name, claims["sub"]) is None
    ):
        needed.add(settings.username_claim)
    if tokens.access_token is None or all(_value(claims, name) is not None for name in needed):
        return claims
    told = await provider.user_info(tokens.access_token, claims["sub"])
    # Whether an address was checked says only who tells the address.
    about_email = claims if "email" in claims else told
    pair = {name: about_email.get(name) for name in ("email", "email_verified")}
    return {**told, **claims, **pair}


def _arrival(provider: Provider, tokens: Tokens, claims: dict[str, Any]) -> sso.Arrival:
    settings, sid = provider.settings, claims.get("sid")
    username = _value(claims, settings.username_claim)
    if settings.username_claim == "email" and not _has_checked_email(claims):
        username = None
    return sso.Arrival(
        session=ProviderSession(
            provider=settings.name,
            subject=claims["sub"],
            handle=sid if sid and logout_token.is_id(sid) else None,
            hint=tokens.id_token if len(tokens.id_token) <= _MAX_HINT else "",
        ),
        amr=_LEAF,
        username=username if isinstance(username, str) else "",
        facts=_facts(claims),
        rules=settings.roles,
        values=None
        if settings.roles_claim is None
        else _texts(_value(claims, settings.roles_claim)),
    )


def _facts(claims: dict[str, Any]) -> dict[str, Any]:
    """Return name and e-mail address of a new user: those that the API would take as well."""
    told = {"name": claims.get("name")}
    if _has_checked_email(claims):
        told["email"] = claims.get("email")
    facts: dict[str, Any] = {}
    for name, value in told.items():
        with contextlib.suppress(errors.ValidationError):
            facts |= bodies.patch({name: value}, {})
    return facts


def _has_checked_email(claims: Mapping[str, Any]) -> bool:
    """Tell whether the provider has: else it may be somebody else's, and applications trust us."""
    return claims.get("email_verified") is True


def _denial(
    request: web.Request, provider: Provider, denied: authorization.Denied
) -> errors.Problem:
    """Note what the provider says; return our own words for it: its own are a stranger's."""
    context.log(
        request,
        "openid_denied",
        level=logs.WARNING,
        provider=provider.settings.name,
        error=denied.error,
    )
    if denied.error in _BUSY:
        return errors.ProviderUnavailable()
    return errors.AnswerRefused(_DENIED if denied.error == "access_denied" else _NOT_TAKEN)


async def _metadata(request: web.Request, provider: Provider) -> Metadata:
    try:
        return await provider.metadata()
    except Rejected as rejected:
        raise clients.refusal(request, provider, rejected) from None


def _redirect_uri(request: web.Request, provider: Provider) -> str:
    """Return the address to come back to: of PUBLIC_URL alone, whatever `Host` says."""
    return request.app[context.CONFIG].public_url + provider.settings.callback


def _value(claims: Mapping[str, Any], name: str) -> Any:
    """Return a claim by its name, or by the path to it: `realm_access.roles`."""
    if name in claims:
        return claims[name]
    value: Any = claims
    for part in name.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _texts(value: object) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [each for each in values if isinstance(each, str)]
