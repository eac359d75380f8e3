"""The enabled OpenID providers of the application."""

from aiohttp import web

from service import errors
from service.config import openid
from service.providers.openid import LoginRejected, ProviderError
from service.providers.openid.provider import OpenIdClient
from service.telemetry import logs
from service.web import context

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
    """Log why a login was rejected. Return the problem, without the reason."""
    context.log(
        request,
        "openid_rejected",
        level=logs.WARNING,
        provider=provider.settings.name,
        reason=rejected.reason,
    )
    if isinstance(rejected, ProviderError):
        return errors.ProviderAnswerInvalid()
    return errors.AnswerRefused()
