"""OpenID Connect sign-in: `GET /auth/oidc` and `GET /auth/oidc/callback`."""

from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from service import errors, session
from service.config import openid
from service.login import sso
from service.login.oidc import account, denials, registry
from service.login.oidc.account import Account
from service.login.sso import attempt, attempt_cookies
from service.providers.openid import LoginRejected, authorization, logout_token
from service.providers.openid.metadata import Metadata
from service.providers.openid.provider import OpenIdClient
from service.providers.openid.token_endpoint import TokenResponse
from service.providers.registry import CHOOSE_ACCOUNT
from service.providers.sessions import ProviderSession
from service.telemetry import logs
from service.web import access, context, responses

_LEAF = "oidc"
_USED = "state_used"
_MAX_HINT = 3072
"""The maximum size of a stored ID token, which sign-out sends in a URL."""


@access.public
async def start(request: web.Request) -> web.Response:
    """GET /auth/oidc[/{provider}][?next=][&prompt=][&retry=1]: redirects to a provider."""
    has_name, choice = "provider" in request.match_info, attempt.choice(request)
    if not has_name and openid.PLAIN not in request.app[registry.CLIENTS]:
        more = CHOOSE_ACCOUNT if choice else {}
        query = urlencode({"next": session.next_address(request), **more})
        return responses.redirect(f"/auth/login?{query}")
    if session.is_background_load(request):
        raise errors.PrefetchRefused
    provider = registry.named(request)
    begun, bound = sso.new(request, _LEAF), authorization.new_secrets()
    try:
        metadata = await _metadata(request, provider)
        params = _params(choice, provider, metadata)
        to = authorization.address(
            metadata,
            client_id=provider.settings.client_id,
            redirect_uri=_redirect_uri(request, provider),
            scopes=provider.settings.scopes,
            state=begun.reference,
            bound=bound,
            params=params,
        )
    except errors.Problem as problem:
        start_path = provider.settings.start
        problem.links = attempt.failure_links(request, start_path, begun.location, choice)
        raise
    facts = {
        "provider": provider.settings.name,
        "nonce": bound.nonce,
        "verifier": bound.verifier,
        "chooses": choice == CHOOSE_ACCOUNT and choice["prompt"] in params.get("prompt", ""),
        "is_retry": request.query.getall("retry", []) == ["1"],
    }
    return await sso.begin(request, _LEAF, begun, facts, to=to)


@access.public
async def callback(request: web.Request) -> web.Response:
    """GET /auth/oidc[/{provider}]/callback: signs in after the redirect from the provider."""
    provider = registry.named(request)
    answer = {name: request.query.getall(name) for name in request.query}
    states = answer.get("state", [])
    state, started_at = states[0] if len(states) == 1 else "", provider.settings.start
    try:
        async with sso.resume(request, _LEAF, state, start=started_at) as resumed:
            try:
                login = await _fetch_login(request, provider, answer, resumed)
            except authorization.AccessDenied as denied:
                problem = denials.problem(request, provider, denied)
                if (again := denials.next_start(denied, resumed.state)) is not None:
                    return resumed.start_again(started_at, **again)
                raise problem from None
            return await resumed.sign_in(login)
    except sso.SPENT as problem:
        return await sso.respond_to_spent(
            request,
            problem,
            _LEAF,
            state,
            parameter="state",
            start=started_at,
            has_answer="code" in answer,
        )


async def _fetch_login(
    request: web.Request,
    provider: OpenIdClient,
    answer: Mapping[str, Collection[str]],
    resumed: sso.Resumed,
) -> sso.ExternalLogin:
    """Return the login from the provider, which is contacted at most once per attempt.

    Raises AccessDenied for an error of the provider.
    """
    facts = resumed.state
    try:
        _check_attempt(request, provider, resumed)
        code = authorization.read_code(answer, await provider.metadata())
        uri = _redirect_uri(request, provider)
        tokens = await provider.redeem(code, facts["verifier"], uri)
        claims = await provider.identify(tokens, facts["nonce"])
        found = await account.fetch(request, provider, tokens, claims)
    except LoginRejected as rejected:
        problem = registry.refusal(request, provider, rejected)
        raise (errors.AttemptUsed() if rejected.reason == _USED else problem) from None
    account.require(request, found)
    if len(tokens.id_token) > _MAX_HINT:
        limit = f"{_MAX_HINT:,} characters"
        context.log(request, "hint_left_out", provider=provider.settings.name, limit=limit)
    return _login(tokens, claims, found, handle=_handle(request, provider, claims))


def _check_attempt(request: web.Request, provider: OpenIdClient, resumed: sso.Resumed) -> None:
    """Check that the attempt belongs to this provider and was not used before."""
    if resumed.state["provider"] != provider.settings.name:
        raise LoginRejected("issuer_mixed_up")
    if not request.app[sso.REPLAYS].add(f"state {resumed.id}", attempt_cookies.SECONDS):
        raise LoginRejected(_USED)


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
        amr=(_LEAF,),
        username=found.username,
        facts=profile.facts,
        ignored=profile.ignored,
        rules=settings.roles,
        roles_claim=settings.roles_claim or "",
        values=found.roles,
        unread=found.userinfo_failure,
        signed_in_at=_signed_in_at(claims),
    )


def _signed_in_at(claims: Mapping[str, Any]) -> int:
    """Return the latest time of the sign-in at the provider, by the provider's clock.

    Some providers date their tokens minutes back; then `auth_time` is more accurate.
    """
    issued_at, auth_time = int(claims["iat"]), claims.get("auth_time")
    if isinstance(auth_time, int) and issued_at <= auth_time <= issued_at + attempt_cookies.SECONDS:
        return auth_time
    return issued_at


async def _metadata(request: web.Request, provider: OpenIdClient) -> Metadata:
    try:
        return await provider.metadata()
    except LoginRejected as rejected:
        raise registry.refusal(request, provider, rejected) from None


def _params(
    choice: Mapping[str, str], provider: OpenIdClient, metadata: Metadata
) -> dict[str, str]:
    """Return the further parameters of the authorization request."""
    params = dict(provider.settings.authorize_params)
    if choice:
        return authorization.with_account_choice(params, metadata, choice["prompt"])
    return params


def _redirect_uri(request: web.Request, provider: OpenIdClient) -> str:
    """Return the redirect URI, from PUBLIC_URL only, regardless of `Host`."""
    return request.app[context.CONFIG].public_url + provider.settings.callback
