"""Every failure that a client can meet: its HTTP status and its stable code.

The fields are those of RFC 9457; `code` is the word that programs compare. A detail is written for
strangers: it is constant, and never repeats what the client sent.
"""

from collections.abc import Mapping

from service.errors.problem import CONTENT_TYPE, Fault, Problem, as_json
from service.errors.refused import (
    BadRequest,
    BodyTimeout,
    BodyTooLarge,
    BypassRefused,
    CrossSite,
    EncodingUnsupported,
    ExpectationFailed,
    Forbidden,
    HostRefused,
    MethodNotAllowed,
    NotFound,
    PrefetchRefused,
    SinceInvalid,
    TokenTooLarge,
    UsernameAmbiguous,
    UsernameInvalid,
    UsernameMissing,
)
from service.errors.unauthenticated import (
    AlgorithmInvalid,
    AudienceInvalid,
    AuthorizationAmbiguous,
    CookieAmbiguous,
    CredentialsMissing,
    IssuerInvalid,
    TokenExpired,
    TokenInvalid,
    TokenRevoked,
    Unauthenticated,
    UserUnknown,
)
from service.errors.unavailable import DatabaseUnavailable, FeedStale

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

__all__ = [
    "BY_STATUS",
    "CONTENT_TYPE",
    "AlgorithmInvalid",
    "AudienceInvalid",
    "AuthorizationAmbiguous",
    "BadRequest",
    "BodyTimeout",
    "BodyTooLarge",
    "BypassRefused",
    "CookieAmbiguous",
    "CredentialsMissing",
    "CrossSite",
    "DatabaseUnavailable",
    "EncodingUnsupported",
    "ExpectationFailed",
    "Fault",
    "FeedStale",
    "Forbidden",
    "HostRefused",
    "IssuerInvalid",
    "MethodNotAllowed",
    "NotFound",
    "PrefetchRefused",
    "Problem",
    "SinceInvalid",
    "TokenExpired",
    "TokenInvalid",
    "TokenRevoked",
    "TokenTooLarge",
    "Unauthenticated",
    "UserUnknown",
    "UsernameAmbiguous",
    "UsernameInvalid",
    "UsernameMissing",
    "as_json",
]
