"""The providers that are on, as this application knows them."""

from aiohttp import web

from service import errors
from service.config import openid
from service.providers.openid import Rejected, Unusable
from service.providers.openid.provider import Provider
from service.telemetry import logs
from service.web import context

CLIENTS = web.AppKey("openid_clients", dict[str, Provider])


def named(request: web.Request) -> Provider:
    """Return the provider that a path names; the plain one for a path without a name.

    Raises ProviderUnknown.
    """
    provider = request.app[CLIENTS].get(request.match_info.get("provider", openid.PLAIN))
    if provider is None:
        raise errors.ProviderUnknown
    return provider


def refusal(request: web.Request, provider: Provider, rejected: Rejected) -> errors.Problem:
    """Note why something was rejected; return what to say of it to a stranger."""
    context.log(
        request,
        "openid_rejected",
        level=logs.WARNING,
        provider=provider.settings.name,
        reason=rejected.reason,
    )
    if isinstance(rejected, Unusable):
        return errors.ProviderAnswerInvalid()
    return errors.AnswerRefused()
