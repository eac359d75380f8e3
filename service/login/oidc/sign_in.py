"""OpenID Connect sign-in: `GET /auth/oidc` and `GET /auth/oidc/callback`."""

from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from service import errors, session
from service.config import openid
from service.login import sso
from service.login.oidc import account, registry
from service.login.oidc.account import Account
from service.login.sso import attempt
from service.providers.openid import LoginRejected, authorization, logout_token
from service.providers.openid.metadata import Metadata
from service.providers.openid.provider import OpenIdClient
from service.providers.openid.token_endpoint import TokenResponse
from service.providers.sessions import ProviderSession
from service.telemetry import logs
from service.web import access, context, responses

_LEAF = "oidc"
_MAX_HINT = 3072
"""The maximum size of a stored ID token, which sign-out sends in a URL."""
_BUSY = frozenset({"server_error", authorization.BUSY})
_NEVER = frozenset(
    {
        "invalid_request",
        "invalid_scope",
        "request_not_supported",
        "request_uri_not_supported",
        "unauthorized_client",
        "unsupported_response_type",
    }
)
"""The errors by which a provider rejects the request itself, for everyone."""
_DENIED = (
    "The provider denied access: you declined the request there, or you may not use this service."
    " Start the sign-in again, or ask the administrator of the provider."
)
_NOT_TAKEN = (
    "The provider rejected the sign-in request. Start the sign-in again. Administrators: the log"
    " has the reason."
)


_NEVER_TAKEN = (
    "The provider rejects the sign-in requests of this service. Trying again does not help: sign in"
    " another way, or ask your administrator. Administrators: the log has the reason."
)


@access.public
async def start(request: web.Request) -> web.Response:
    """GET /auth/oidc[/{provider}][?next=][&retry=1]: redirects to a provider, sets a cookie."""
    has_name = "provider" in request.match_info
    if not has_name and openid.PLAIN not in request.app[registry.CLIENTS]:
        query = urlencode({"next": session.next_address(request)})
        return responses.redirect(f"/auth/login?{query}")
    if session.is_background_load(request):
        raise errors.PrefetchRefused
    provider = registry.named(request)
    state, bound = sso.new_id(), authorization.new_secrets()
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
        problem.links = attempt.failure_links(provider.settings.start, location)
        raise
    facts = {
        "provider": provider.settings.name,
        "nonce": bound.nonce,
        "verifier": bound.verifier,
        "is_retry": request.query.getall("retry", []) == ["1"],
    }
    return await sso.begin(request, _LEAF, state, facts, to=to)


@access.public
async def callback(request: web.Request) -> web.Response:
    """GET /auth/oidc[/{provider}]/callback: signs in after the redirect from the provider."""
    provider = registry.named(request)
    answer = {name: request.query.getall(name) for name in request.query}
    states = answer.get("state", [])
    state = states[0] if len(states) == 1 else ""
    async with sso.resume(request, _LEAF, state, start=provider.settings.start) as resumed:
        try:
            login = await _fetch_login(request, provider, answer, resumed.state)
        except authorization.AccessDenied as denied:
            problem = _denial(request, provider, denied)
            if denied.asks_again and not resumed.state.get("is_retry"):
                return resumed.start_again(provider.settings.start)
            raise problem from None
        return await resumed.sign_in(login)


async def _fetch_login(
    request: web.Request,
    provider: OpenIdClient,
    answer: Mapping[str, Collection[str]],
    facts: Mapping[str, Any],
) -> sso.ExternalLogin:
    """Return the login from the provider, which is contacted at most once per attempt.

    Raises AccessDenied for an error of the provider.
    """
    try:
        _check_attempt(request, provider, answer, facts)
        code = authorization.read_code(answer, await provider.metadata())
        uri = _redirect_uri(request, provider)
        tokens = await provider.redeem(code, facts["verifier"], uri)
        claims = await provider.identify(tokens, facts["nonce"])
        found = await account.fetch(request, provider, tokens, claims)
    except LoginRejected as rejected:
        raise registry.refusal(request, provider, rejected) from None
    account.require(request, found)
    if len(tokens.id_token) > _MAX_HINT:
        limit = f"{_MAX_HINT:,} characters"
        context.log(request, "hint_left_out", provider=provider.settings.name, limit=limit)
    return _login(tokens, claims, found, handle=_handle(request, provider, claims))


def _check_attempt(
    request: web.Request,
    provider: OpenIdClient,
    answer: Mapping[str, Collection[str]],
    facts: Mapping[str, Any],
) -> None:
    """Check that the attempt belongs to this provider and was not used before."""
    if facts["provider"] != provider.settings.name:
        raise LoginRejected("issuer_mixed_up")
    (state,) = answer["state"]
    if not request.app[sso.REPLAYS].add(f"state {state}", attempt.SECONDS):
        raise LoginRejected("state_used")


def _handle(request: web.Request, provider: OpenIdClient, claims: Mapping[str, Any]) -> str | None:
    """Return the ID of the session at the provider. Without one, logouts end it by the subject."""
    sid = claims.get("sid")
    if sid is None or logout_token.is_id(sid):
        return sid
    context.log(
        request,
        "fact_ignored",
        level=logs.WARNING,
        provider=provider.settings.name,
        claim="sid",
        reason="not_an_id",
        limit=logout_token.ID_LIMIT,
    )
    return None


def _login(
    tokens: TokenResponse, claims: Mapping[str, Any], found: Account, *, handle: str | None
) -> sso.ExternalLogin:
    settings, profile = found.settings, found.profile
    hint = tokens.id_token if len(tokens.id_token) <= _MAX_HINT else ""
    return sso.ExternalLogin(
        session=ProviderSession(
            provider=settings.name,
            subject=claims["sub"],
            handle=handle,
            hint=hint,
        ),
        amr=_LEAF,
        username=found.username,
        facts=profile.facts,
        ignored=profile.ignored,
        rules=settings.roles,
        roles_claim=settings.roles_claim or "",
        values=found.roles,
        signed_in_at=_signed_in_at(claims),
    )


def _signed_in_at(claims: Mapping[str, Any]) -> int:
    """Return the latest time of the sign-in at the provider, by the provider's clock.

    Some providers date their tokens minutes back; then `auth_time` is more accurate.
    """
    issued_at, auth_time = int(claims["iat"]), claims.get("auth_time")
    if isinstance(auth_time, int) and issued_at <= auth_time <= issued_at + attempt.SECONDS:
        return auth_time
    return issued_at


def _denial(
    request: web.Request, provider: OpenIdClient, denied: authorization.AccessDenied
) -> errors.Problem:
    """Log the provider's error. Return our own problem, since its text is not trusted."""
    context.log(
        request,
        "openid_denied",
        level=logs.WARNING,
        provider=provider.settings.name,
        error=denied.error,
        asks_again=denied.asks_again or None,
    )
    if denied.error in _BUSY:
        return errors.ProviderBusy()
    if denied.error in _NEVER:
        return errors.AnswerRefused(_NEVER_TAKEN)
    return errors.AnswerRefused(_DENIED if denied.error == "access_denied" else _NOT_TAKEN)


async def _metadata(request: web.Request, provider: OpenIdClient) -> Metadata:
    try:
        return await provider.metadata()
    except LoginRejected as rejected:
        raise registry.refusal(request, provider, rejected) from None


def _redirect_uri(request: web.Request, provider: OpenIdClient) -> str:
    """Return the redirect URI, from PUBLIC_URL only, regardless of `Host`."""
    return request.app[context.CONFIG].public_url + provider.settings.callback
