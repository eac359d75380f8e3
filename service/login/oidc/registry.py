"""The enabled OpenID providers of the application."""

from aiohttp import web

from service import errors
from service.config import openid
from service.login.oidc import denials
from service.providers.openid import LoginRejected, ProviderError, TokenRefused, Unsupported
from service.providers.openid.provider import OpenIdClient
from service.telemetry import logs
from service.web import context

_OVER_LIMIT = (
    "A value in the provider's response is too large: the limit is {}. Trying again does not help:"
    " sign in another way, or ask your administrator."
)
CLIENTS = web.AppKey("openid_clients", dict[str, OpenIdClient])


def named(request: web.Request) -> OpenIdClient:
    """Return the provider of a path; the unnamed one for a path without a name.

    Raises ProviderUnknown.
    """
    provider = request.app[CLIENTS].get(request.match_info.get("provider", openid.PLAIN))
    if provider is None:
        raise errors.ProviderUnknown
    return provider


def refusal(
    request: web.Request, provider: OpenIdClient, rejected: LoginRejected
) -> errors.Problem:
    """Log why a login was rejected. Return the problem, without the reason, but with a limit."""
    context.log(
        request,
        "openid_rejected",
        level=logs.WARNING,
        provider=provider.settings.name,
        reason=rejected.reason,
        limit=rejected.limit,
        error=rejected.error,
    )
    if isinstance(rejected, TokenRefused):
        return denials.of_token_endpoint(rejected)
    if isinstance(rejected, Unsupported):
        return errors.ProviderAnswerUnsupported()
    is_of_account = not isinstance(rejected, ProviderError)
    if rejected.limit is None:
        return errors.AnswerRefused() if is_of_account else errors.ProviderAnswerInvalid()
    if is_of_account:
        return errors.AnswerRefused(_OVER_LIMIT.format(rejected.limit))
    return errors.ProviderAnswerTooLarge(rejected.limit)
