"""Errors 401: the request has no valid credential."""

from typing import ClassVar

from service.errors.problem import Problem


class Unauthenticated(Problem):
    """The request has no valid credential. Sends `WWW-Authenticate: Bearer` (RFC 6750, 3)."""

    status = 401
    about_token: ClassVar[bool] = True
    """Whether a token was refused, so that the challenge has an error code."""


class CredentialsMissing(Unauthenticated):
    code = "credentials_missing"
    about_token = False
    title = "Sign-in required"
    detail = "Send the session cookie, or the header `Authorization: Bearer <token>`."
    over_http = (
        f"{detail} Many clients, such as requests, httpx and aiohttp, do not send a `Secure` cookie"
        " over http: set COOKIE_SECURE=false in development, or send the token as a bearer token."
    )
    """The detail outside production, where the service has no TLS."""


class CookieAmbiguous(Unauthenticated):
    code = "cookie_ambiguous"
    title = "More than one session cookie"
    detail = (
        "The browser sent several cookies with the name of the session cookie. Delete the cookies"
        " of this site and of its parent domain, then sign in again. Administrators: if an"
        " application sets a cookie of this name, rename one of the two."
    )

    @classmethod
    def named(cls, name: str) -> "CookieAmbiguous":
        """Return the error with the name of the session cookie."""
        return cls(cls.detail.replace("with the name of", f"named `{name}`, the name of"))


class AuthorizationAmbiguous(Unauthenticated):
    code = "authorization_ambiguous"
    title = "More than one Authorization header"
    detail = "Send one Authorization header."


class TokenInvalid(Unauthenticated):
    code = "token_invalid"
    title = "Invalid token"
    detail = "The token is malformed, or this service did not sign it. Sign in again."


class TokenExpired(Unauthenticated):
    code = "token_expired"
    title = "Session expired"
    detail = "The token has expired. Sign in again."


class TokenRevoked(Unauthenticated):
    code = "token_revoked"
    title = "Session revoked"
    detail = "You signed out, or an administrator ended the session. Sign in again."


class IssuerInvalid(Unauthenticated):
    code = "issuer_invalid"
    title = "Wrong token issuer"
    detail = "The claim `iss` is not the address of this service. Sign in to this service."


class AudienceInvalid(Unauthenticated):
    code = "audience_invalid"
    title = "Wrong token audience"
    detail = "The claim `aud` is not the audience of this service. Sign in to this service."


class AlgorithmInvalid(Unauthenticated):
    code = "algorithm_invalid"
    title = "Wrong signature algorithm"
    detail = "The header `alg` does not match the algorithm of this service. Sign in again."


class UserUnknown(Unauthenticated):
    code = "user_unknown"
    about_token = False
    title = "Unknown or disabled user"
    detail = (
        "The user does not exist or is disabled. Ask your administrator to create or enable it."
    )
