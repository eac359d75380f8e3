"""401: the caller is not known, or what the caller shows is not good."""

from service.errors.problem import Problem


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


class TokenRevoked(Unauthenticated):
    code = "token_revoked"
    title = "The session was ended"
    detail = (
        "The token was taken back: by signing out, or by whoever runs this service. Sign in again."
    )


class IssuerInvalid(Unauthenticated):
    code = "issuer_invalid"
    title = "A token of another issuer"
    detail = "The claim `iss` is not this service's address. Sign in here."


class AudienceInvalid(Unauthenticated):
    code = "audience_invalid"
    title = "A token for another audience"
    detail = "The claim `aud` is not the one that this service requires. Sign in here."


class AlgorithmInvalid(Unauthenticated):
    code = "algorithm_invalid"
    title = "A token signed in another way"
    detail = "The header `alg` is not the algorithm that this service signs with."


class UserUnknown(Unauthenticated):
    code = "user_unknown"
    title = "Nobody of that name may sign in"
    detail = "There is no such user, or the user is disabled. Ask whoever runs this service."
