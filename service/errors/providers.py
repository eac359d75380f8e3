"""What goes wrong between a browser, a provider (CAS, OpenID Connect) and us."""

from service.errors.problem import Problem
from service.errors.refused import Forbidden
from service.errors.unauthenticated import Unauthenticated

_COOKIES = (
    "Safari keeps no secure cookies over plain http; a wrong COOKIE_DOMAIN; or two cookies of the"
    " same name, one from a parent domain: delete the cookies of this site and of its parents."
)


class AttemptUnknown(Problem):
    status = 400
    code = "attempt_unknown"
    title = "This sign-in was not begun here"
    detail = (
        "The browser did not bring the cookie of this attempt: it was over ten minutes ago, is"
        " used already, was begun in another browser, or the browser keeps none of our cookies."
        " Begin again; if that does not help, likely reasons are: " + _COOKIES
    )


class CookieNotKept(Problem):
    status = 400
    code = "cookie_not_kept"
    title = "The browser does not keep the session"
    detail = (
        "This browser was signed in three times within a minute, and each time came back without"
        " the cookie that it was given. Likely reasons: " + _COOKIES
    )


class TicketInvalid(Problem):
    status = 400
    code = "ticket_invalid"
    title = "Not a ticket of the CAS server"
    detail = "Nobody was asked about it. Begin again."


class LogoutRequestInvalid(Problem):
    status = 400
    code = "logout_request_invalid"
    title = "Not a logout request"
    detail = "Send the field `logoutRequest` once, with the XML of the CAS protocol, in UTF-8."


class AnswerRefused(Unauthenticated):
    code = "sign_in_refused"
    title = "The provider did not sign you in"
    detail = "What came back from the provider is used up, too old, or not for us. Begin again."


class IdentityUnknown(Forbidden):
    code = "identity_unknown"
    title = "Nobody here has this account"
    detail = (
        "You are known to the provider, but this account is linked with no user here. Ask whoever"
        " runs this service to link it, and send them these two lines."
    )


class AccountNotAllowed(Forbidden):
    code = "account_not_allowed"
    title = "This account may not sign in here"
    detail = (
        "The provider knows you, but this service only accepts some of its accounts. Sign in with"
        " another account, or ask your administrator."
    )


class ProviderAnswerInvalid(Problem):
    status = 502
    code = "provider_answer_invalid"
    title = "The provider's answer cannot be read"
    detail = "Try again. Whoever runs this service finds the reason in its log."


class ProviderUnavailable(Problem):
    status = 503
    code = "provider_unavailable"
    title = "The provider does not answer"
    detail = "Try again in a few seconds, or sign in another way."

    def __init__(self) -> None:
        super().__init__(headers={"Retry-After": "5"})


class ProviderUnknown(Problem):
    status = 404
    code = "provider_unknown"
    title = "There is no such provider"
    detail = "No provider of this name is switched on here. The page /auth/login shows the ways in."


class LogoutTokenInvalid(Problem):
    status = 400
    code = "logout_token_invalid"
    title = "Not a good logout token"
    detail = "The logout token is not for us, not signed well, too old, or was used already."
