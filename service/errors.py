"""Every failure that a client can meet: its HTTP status and its stable code.

The fields are those of RFC 9457; `code` is the word that programs compare. A detail is written
for strangers: it is constant, and never repeats what the client sent.
"""

from collections.abc import Mapping
from typing import ClassVar

import orjson


class Problem(Exception):
    """A refusal: HTTP `status`, stable `code`, `title`, and a `detail` that says what to do."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    title: ClassVar[str] = "Something went wrong here"
    detail: str = "The request failed. The log of the service has the reason, by the request id."

    def __init__(
        self, detail: str | None = None, *, headers: Mapping[str, str] | None = None
    ) -> None:
        self.detail = detail or type(self).detail
        self.headers = dict(headers or {})
        super().__init__(self.code)


class BadRequest(Problem):
    status = 400
    code = "request_invalid"
    title = "The request is not valid HTTP"
    detail = "The server could not read the request. Check its request line, headers and body."


class UsernameMissing(Problem):
    status = 400
    code = "username_missing"
    title = "No user name"
    detail = "Name the user to sign in as, once: /auth/bypass?token=<username>."


class UsernameAmbiguous(Problem):
    status = 400
    code = "username_ambiguous"
    title = "More than one user name"
    detail = "Give the parameter `token` exactly once."


class UsernameInvalid(Problem):
    status = 400
    code = "username_invalid"
    title = "Not a user name"
    detail = (
        "A user name starts with a letter or a digit and has at most 64 characters"
        " from a-z, 0-9, '.', '_', '@' and '-'."
    )


class SinceInvalid(Problem):
    status = 400
    code = "since_invalid"
    title = "Not a place in the feed"
    detail = "`since` is the number that the feed gave as `next`, once; without it, all is sent."


class Unauthenticated(Problem):
    """401: the caller is not known. Answered with `WWW-Authenticate: Bearer` (RFC 6750 3)."""

    status = 401


class CredentialsMissing(Unauthenticated):
    code = "credentials_missing"
    title = "Sign in first"
    detail = "This needs the session cookie, or a header `Authorization: Bearer <token>`."


class CookieAmbiguous(Unauthenticated):
    code = "cookie_ambiguous"
    title = "Two session cookies"
    detail = (
        "The browser sent more than one cookie of our name. Delete the cookies of this site and of"
        " its parent domain, then sign in again."
    )


class AuthorizationAmbiguous(Unauthenticated):
    code = "authorization_ambiguous"
    title = "Two Authorization headers"
    detail = "Send one Authorization header."


class TokenInvalid(Unauthenticated):
    code = "token_invalid"
    title = "Not a valid token"
    detail = "The token is not one of ours, or was damaged on the way. Sign in again."


class TokenExpired(Unauthenticated):
    code = "token_expired"
    title = "The session has ended"
    detail = "The token has expired. Sign in again."


class IssuerInvalid(Unauthenticated):
    code = "issuer_invalid"
    title = "A token of another issuer"
    detail = "The claim `iss` is not this service's PUBLIC_URL. Sign in here."


class AudienceInvalid(Unauthenticated):
    code = "audience_invalid"
    title = "A token for another audience"
    detail = "The claim `aud` is not the one that this service requires. Sign in here."


class TokenRevoked(Unauthenticated):
    code = "token_revoked"
    title = "The session was ended"
    detail = (
        "The token was taken back: by signing out, or by whoever runs this service. Sign in again."
    )


class AlgorithmInvalid(Unauthenticated):
    code = "algorithm_invalid"
    title = "A token signed in another way"
    detail = "The header `alg` is not the algorithm that this service signs with."


class UserUnknown(Unauthenticated):
    code = "user_unknown"
    title = "Nobody of that name may sign in"
    detail = "There is no such user, or the user is disabled. Ask whoever runs this service."


class Forbidden(Problem):
    status = 403


class CrossSite(Forbidden):
    code = "cross_site_request"
    title = "The request came from another site"
    detail = "Do this from the pages of this site, or use a bearer token."


class BypassRefused(Forbidden):
    code = "bypass_refused"
    title = "The development sign-in is not open to you"
    detail = (
        "It answers direct requests from BYPASS_NETWORKS, and requests through a proxy only"
        " if that proxy is listed in TRUSTED_PROXIES."
    )


class HostRefused(Forbidden):
    code = "bypass_host_refused"
    title = "The development sign-in does not answer under this host name"
    detail = "Use the address in PUBLIC_URL, localhost, or an IP address."


class PrefetchRefused(Forbidden):
    code = "prefetch_refused"
    title = "Not by prefetching"
    detail = "A sign-in is not prefetched. Open the link itself."


class TokenTooLarge(Forbidden):
    code = "token_too_large"
    title = "The token would be too large for a cookie"


class NotFound(Problem):
    status = 404
    code = "not_found"
    title = "Nothing here"
    detail = "There is no such path. The home page / shows the ways in."


class MethodNotAllowed(Problem):
    status = 405
    code = "method_not_allowed"
    title = "Not with this method"
    detail = "The path exists, but not for this method. The header `Allow` lists those it answers."


class BodyTimeout(Problem):
    status = 408
    code = "body_timeout"
    title = "The body took too long"
    detail = "Send the whole body within ten seconds."


class BodyTooLarge(Problem):
    status = 413
    code = "body_too_large"
    title = "The body is too large"
    detail = "A body may have at most 64 KiB."


class EncodingUnsupported(Problem):
    status = 415
    code = "encoding_unsupported"
    title = "Not in this encoding"
    detail = "Send the body without Content-Encoding."


class ExpectationFailed(Problem):
    status = 417
    code = "expectation_failed"
    title = "That expectation is not met"
    detail = "The only expectation known here is `100-continue`."


class DatabaseUnavailable(Problem):
    status = 503
    code = "database_unavailable"
    title = "The user database does not answer"
    detail = "Try again in a few seconds. Whoever runs this service finds the reason in its log."

    def __init__(self) -> None:
        super().__init__(headers={"Retry-After": "5"})


class FeedStale(Problem):
    status = 503
    code = "feed_stale"
    title = "Nobody can be let in just now"
    detail = (
        "The user database has not answered for so long that this service no longer knows which"
        " sessions have ended. Try again in a few seconds."
    )

    def __init__(self) -> None:
        super().__init__(headers={"Retry-After": "5"})


BY_STATUS: Mapping[int, type[Problem]] = {
    kind.status: kind
    for kind in (
        BadRequest,
        NotFound,
        MethodNotAllowed,
        BodyTooLarge,
        ExpectationFailed,
        Problem,
    )
}
"""What stands for an error that the HTTP library raised by itself, by its status."""


CONTENT_TYPE = "application/problem+json"


def as_json(problem: Problem) -> bytes:
    """Return the body of RFC 9457 section 3, with our `code`."""
    return orjson.dumps(
        {
            "type": f"urn:latchkey:problem:{problem.code}",
            "title": problem.title,
            "status": problem.status,
            "detail": problem.detail,
            "code": problem.code,
        }
    )


class Fault(Exception):
    """What a person at the command line has to mend: one message, no traceback."""
