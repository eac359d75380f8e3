"""Errors that a provider returns instead of a code: what to show, and whether to start again."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from service import errors
from service.providers.openid import authorization
from service.providers.openid.provider import OpenIdClient
from service.telemetry import logs
from service.web import context

_LOGIN = authorization.CHOICES[-1]
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


def problem(
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


def next_start(
    denied: authorization.AccessDenied, facts: Mapping[str, Any]
) -> dict[str, str] | None:
    """Return the query of a new attempt that can succeed at once, or None.

    The login page of the provider has expired, or it does not support `prompt=select_account` and
    its metadata does not say so.
    """
    if denied.error == "invalid_request" and facts.get("chooses"):
        return {"prompt": _LOGIN}
    if denied.asks_again and not facts.get("is_retry"):
        return {"retry": "1"}
    return None
