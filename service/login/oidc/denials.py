"""Errors that a provider returns instead of a code: what to show, and whether to start again."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from service import errors
from service.providers.openid import TokenRefused, authorization
from service.providers.openid.provider import OpenIdClient
from service.telemetry import logs
from service.web import context

_LOGIN = authorization.CHOICES[-1]
_BUSY = frozenset({"server_error", authorization.BUSY})
_NEVER = frozenset(
    {
        "invalid_client",
        "invalid_redirect_uri",
        "invalid_request",
        "invalid_request_object",
        "invalid_request_uri",
        "invalid_scope",
        "invalid_target",
        "registration_not_supported",
        "request_not_supported",
        "request_uri_not_supported",
        "unauthorized_client",
        "unsupported_grant_type",
        "unsupported_response_type",
    }
)
"""The errors by which a provider rejects the client or the request itself, for everyone."""
_CODE_REJECTED = "invalid_grant"
_DENIED = (
    "The provider denied access: you declined the request there, or you may not use this service."
    " Start the sign-in again, or ask the administrator of the provider."
)
_NOT_TAKEN = (
    "The provider rejected the sign-in request. Start the sign-in again. Administrators: the log"
    " has the reason."
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
    if denied.error == "access_denied":
        return errors.AnswerRefused(_DENIED)
    return _of_error(denied.error) or errors.AnswerRefused(_NOT_TAKEN)


def of_token_endpoint(refused: TokenRefused) -> errors.Problem:
    """Return the problem of an error of the token endpoint."""
    if refused.error == _CODE_REJECTED:
        return errors.AnswerRefused()
    if (known := _of_error(refused.error)) is not None:
        return known
    return errors.ServiceRejected() if refused.is_client else errors.AnswerRefused(_NOT_TAKEN)


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


def _of_error(error: str | None) -> errors.Problem | None:
    """Return the problem of an error that is not about this attempt, else None."""
    if error in _BUSY:
        return errors.ProviderBusy()
    return errors.ServiceRejected() if error in _NEVER else None
