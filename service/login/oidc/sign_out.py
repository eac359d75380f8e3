"""OpenID Connect sign-out: here, at the provider, and back-channel logout."""

from urllib.parse import parse_qs

from aiohttp import web
from authlib.common.urls import add_params_to_uri

from service import errors
from service.db import Reader
from service.login.oidc import registry
from service.parsing import content_type
from service.providers import issuers, recent_logouts, sessions, used_logout_tokens
from service.providers.openid import DocumentError, LoginRejected, jwt, logout_token
from service.providers.openid.logout_token import Logout
from service.providers.openid.provider import OpenIdClient
from service.providers.sessions import ProviderSession
from service.web import access, context

_MAX_FIELDS = 10


async def leave(app: web.Application, came_from: ProviderSession, _back: str) -> str | None:
    """Return the sign-out URL of the provider (RP-Initiated Logout 1.0 section 2), or None.

    The provider redirects back to our home page, whose exact URL must be registered there. Raises
    Problem.
    """
    provider = app[registry.CLIENTS][came_from.provider]
    if await _has_changed(app[context.DATABASE], provider):
        return None  # the session and its ID token are of another provider
    try:
        address = (await provider.metadata()).optional("end_session_endpoint")
    except LoginRejected as rejected:
        raise errors.ProviderAnswerInvalid from ValueError(rejected.reason)
    if address is None:
        return None
    parameters = {
        "client_id": provider.settings.client_id,
        "post_logout_redirect_uri": f"{app[context.CONFIG].public_url}/",
    }
    if came_from.hint:
        parameters["id_token_hint"] = came_from.hint
    where: str = add_params_to_uri(address, list(parameters.items()))
    return where


@access.public
@access.csrf_exempt
async def by_provider(request: web.Request) -> web.Response:
    """POST /auth/oidc/logout: ends sessions after a logout at a provider (back-channel logout)."""
    token = await _token(request)
    provider = _sender(request, token)
    try:
        ended = await _end(request, provider, await provider.signed_out(token))
    except DocumentError as rejected:  # the token could not be checked, and can be sent again
        raise registry.refusal(request, provider, rejected) from None
    except LoginRejected as rejected:
        registry.refusal(request, provider, rejected)
        raise _invalid(rejected) from None
    context.log(request, "provider_sign_out", provider=provider.settings.name, sessions=ended)
    return web.Response()


async def _has_changed(db: Reader, provider: OpenIdClient) -> bool:
    """Return whether sessions of a provider's name belong to another issuer."""
    return bool(await issuers.changes(db, {provider.settings.name: provider.settings.issuer}))


async def _end(request: web.Request, sender: OpenIdClient, logout: Logout) -> int:
    """End the sessions of a logout token, unless it was already used. Return their number.

    Stores the logout for a while, because a session may be starting. If the transaction fails, the
    provider can send the token again. Raises LoginRejected, DatabaseUnavailable.
    """
    until = request.app[context.TOKENS].now() + logout_token.REMEMBERED
    provider = sender.settings.name
    async with context.writing(request) as tx:
        if await _has_changed(tx, sender):
            raise LoginRejected("issuer_changed")
        if not await used_logout_tokens.use_once(tx, provider, logout.jti, until):
            raise LoginRejected("jti_used")
        await recent_logouts.remember(
            tx,
            provider,
            handle=logout.sid,
            subject=logout.subject,
            issued_at=logout.issued_at,
        )
        return await sessions.end(tx, provider, handle=logout.sid, subject=logout.subject)


async def _token(request: web.Request) -> str:
    """Return the logout token in the form. Raises LogoutTokenInvalid, ContentTypeUnsupported.

    A valid content type other than a form is also LogoutTokenInvalid, a 400 (section 2.8).
    """
    if content_type.of(request.headers).type != content_type.FORM:
        raise errors.LogoutTokenInvalid from ValueError("content_type")
    try:
        text = (await request.read()).decode("ascii")
        form = parse_qs(text, strict_parsing=True, max_num_fields=_MAX_FIELDS)
    except ValueError:
        raise errors.LogoutTokenInvalid from ValueError("form")
    tokens = form.get("logout_token", [])
    if len(tokens) != 1:
        raise errors.LogoutTokenInvalid from ValueError(f"{len(tokens)} of logout_token")
    return tokens[0]


def _invalid(rejected: LoginRejected) -> errors.Problem:
    """Return the problem of a logout token. It names the limit that the token exceeds."""
    if rejected.limit is None:
        return errors.LogoutTokenInvalid()
    return errors.LogoutTokenInvalid(
        f"The logout token is larger than this service accepts: the limit is {rejected.limit}."
    )


def _sender(request: web.Request, token: str) -> OpenIdClient:
    """Return the provider that an unverified token claims as its issuer.

    Raises LogoutTokenInvalid.
    """
    try:
        claims = jwt.unverified(token)
    except LoginRejected as rejected:
        raise _invalid(rejected) from ValueError(rejected.reason)
    audience = claims.get("aud")
    meant = audience if isinstance(audience, list) else [audience]
    for provider in request.app[registry.CLIENTS].values():
        settings = provider.settings
        if claims.get("iss") == settings.issuer and settings.client_id in meant:
            return provider
    raise errors.LogoutTokenInvalid from ValueError("unknown_sender")
