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
    ContentTypeUnsupported,
    CrossSite,
    EncodingUnsupported,
    ExpectationFailed,
    Forbidden,
    FormInvalid,
    ForwardInvalid,
    HostRefused,
    JsonInvalid,
    LastManager,
    MethodNotAllowed,
    NotFound,
    PreconditionFailed,
    PrefetchRefused,
    RoleMissing,
    RoleNotFound,
    RoleTaken,
    SinceInvalid,
    TokenTooLarge,
    UsernameAmbiguous,
    UsernameInvalid,
    UsernameMissing,
    UsernameTaken,
    UserNotFound,
    ValidationError,
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
    "ContentTypeUnsupported",
    "CookieAmbiguous",
    "CredentialsMissing",
    "CrossSite",
    "DatabaseUnavailable",
    "EncodingUnsupported",
    "ExpectationFailed",
    "Fault",
    "FeedStale",
    "Forbidden",
    "FormInvalid",
    "ForwardInvalid",
    "HostRefused",
    "IssuerInvalid",
    "JsonInvalid",
    "LastManager",
    "MethodNotAllowed",
    "NotFound",
    "PreconditionFailed",
    "PrefetchRefused",
    "Problem",
    "RoleMissing",
    "RoleNotFound",
    "RoleTaken",
    "SinceInvalid",
    "TokenExpired",
    "TokenInvalid",
    "TokenRevoked",
    "TokenTooLarge",
    "Unauthenticated",
    "UserNotFound",
    "UserUnknown",
    "UsernameAmbiguous",
    "UsernameInvalid",
    "UsernameMissing",
    "UsernameTaken",
    "ValidationError",
    "as_json",
]
