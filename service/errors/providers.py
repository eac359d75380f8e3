"""Errors of signing in and out through a provider (CAS, OpenID Connect)."""

from service.errors.problem import Problem
from service.errors.refused import Forbidden
from service.errors.unauthenticated import Unauthenticated

_COOKIES = (
    "Delete the cookies of this site and of its parent domains, then try again. Administrators:"
    " check COOKIE_DOMAIN, and use HTTPS, because Safari does not store Secure cookies over plain"
    " HTTP."
)


class AttemptUnknown(Problem):
    status = 400
    code = "attempt_unknown"
    title = "Sign-in attempt not found"
    detail = (
        "A sign-in attempt works once, within ten minutes, and only in the browser that started it."
        " Start the sign-in again. If you see this page each time, your browser does not store the"
        " cookie of the attempt. " + _COOKIES
    )


class CookieNotKept(Problem):
    status = 400
    code = "cookie_not_kept"
    title = "The browser does not store the session cookie"
    detail = (
        "You signed in three times within a minute, but your browser did not send the session"
        " cookie afterwards. " + _COOKIES
    )


class TicketInvalid(Problem):
    status = 400
    code = "ticket_invalid"
    title = "Invalid CAS ticket"
    detail = (
        "The ticket is malformed, so the CAS server was not contacted. Start the sign-in again."
    )


class LogoutRequestInvalid(Problem):
    status = 400
    code = "logout_request_invalid"
    title = "Invalid logout request"
    detail = "Send the field `logoutRequest` once. It holds the XML of the CAS protocol in UTF-8."


class AnswerRefused(Unauthenticated):
    code = "sign_in_refused"
    title = "The provider's sign-in was rejected"
    detail = (
        "The provider's response was already used, has expired, or was issued for another service."
        " Start the sign-in again."
    )


class ServiceRejected(AnswerRefused):
    """The provider rejects this service or its requests, for everyone."""

    detail = (
        "The provider rejects the sign-in requests of this service. Trying again does not help:"
        " sign in another way, or ask your administrator. Administrators: the log has the reason."
    )


class AttemptUsed(AnswerRefused):
    """The callback of an attempt that has been used, from the browser that still has its cookie."""


class IdentityUnknown(Forbidden):
    code = "identity_unknown"
    title = "This account is not linked to a user"
    detail = (
        "Ask your administrator to link this account to a user, and send them the provider and"
        " subject below."
    )


class AccountNotAllowed(Forbidden):
    code = "account_not_allowed"
    title = "This account may not sign in here"
    detail = (
        "The provider signed you in, but this service accepts only some of its accounts. Sign in"
        " with another account, or ask your administrator."
    )


class ProviderAnswerInvalid(Problem):
    status = 502
    code = "provider_answer_invalid"
    title = "Invalid response from the provider"
    detail = (
        "This service cannot use the provider's response. Start the sign-in again, or sign in"
        " another way. Administrators: the log has the reason."
    )


class ProviderAnswerTooLarge(ProviderAnswerInvalid):
    """The response exceeds a limit, such as `64 KiB`."""

    def __init__(self, limit: str) -> None:
        self.limit = limit
        super().__init__(
            f"The provider's response is larger than this service accepts: the limit is {limit}."
            " Trying again does not help: sign in another way, or ask your administrator."
            " Administrators: configure the provider to send less about an account, such as fewer"
            " groups. The log has the reason."
        )


class ProviderAnswerUnsupported(ProviderAnswerInvalid):
    detail = (
        "The provider's response needs a feature that this service does not support. Trying again"
        " does not help: sign in another way, or ask your administrator. Administrators: the log"
        " has the reason."
    )


class ProviderUnavailable(Problem):
    status = 503
    code = "provider_unavailable"
    title = "The provider is unavailable"
    detail = (
        "The provider did not respond. Try again in a few seconds, or sign in another way."
        " Administrators: the log has the reason."
    )

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(detail, headers={"Retry-After": "5"})


class ProviderBusy(ProviderUnavailable):
    """The provider has responded that it cannot answer now."""

    detail = (
        "The provider responded that it cannot handle the request now. Try again in a few seconds,"
        " or sign in another way. Administrators: the log has the reason."
    )


class ProviderUntrusted(ProviderUnavailable):
    """The provider's certificate is invalid."""

    detail = (
        "This service does not trust the certificate of the provider, so it sent no request. Sign"
        " in another way, or ask your administrator. Administrators: the log has the reason."
    )


class ProviderUnknown(Problem):
    status = 404
    code = "provider_unknown"
    title = "Unknown provider"
    detail = "No provider with this name is enabled. /auth/login lists the sign-in methods."


class LogoutTokenInvalid(Problem):
    status = 400
    code = "logout_token_invalid"
    title = "Invalid logout token"
    detail = (
        "The logout token has an invalid signature or claim, has expired, was issued for another"
        " client, or was already used."
    )
