"""The OpenID provider, by Authlib, with its state in memory."""

import secrets
import time
from typing import Any

from authlib.oauth2.rfc6749 import AuthorizationServer, OAuth2Error
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant
from authlib.oauth2.rfc6750 import BearerTokenGenerator
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oauth2.rfc9207 import IssuerParameter
from authlib.oidc.core import OpenIDCode, UserInfo
from authlib.oidc.rpinitiated import EndSessionEndpoint
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

from service.fake_provider.models import ALGORITHM, Client, Code, Request, Response
from service.fake_provider.people import BrowserSession, Person

_LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"


class FakeProvider(AuthorizationServer):
    """The provider. `issuer` is its URL, `client` its only client."""

    def __init__(self, issuer: str, client: Client) -> None:
        super().__init__(scopes_supported=["openid", "profile", "email", "groups"])
        self.issuer, self.client = issuer, client
        self.key = ECKey.generate_key("P-256", {"use": "sig", "alg": ALGORITHM}, auto_kid=True)
        self.codes: dict[str, Code] = {}
        self.access: dict[str, tuple[BrowserSession, str]] = {}
        self.register_token_generator("default", BearerTokenGenerator(_random, None, _an_hour))
        self.register_grant(_Grant, [CodeChallenge(required=True), _OpenIDCode(self)])
        self.register_extension(_Issuer(issuer))
        self.register_endpoint(_EndSession)

    def query_client(self, client_id: str) -> Client | None:
        return self.client if client_id == self.client.client_id else None

    def save_token(self, token: dict[str, Any], request: Request) -> None:
        self.access[token["access_token"]] = request.user, token["scope"]

    def send_signal(self, *_arguments: object, **_more: object) -> None:
        """Do nothing: there are no listeners."""

    def create_oauth2_request(self, request: Request) -> Request:
        return request

    def handle_response(self, status: int, body: Any, headers: list[tuple[str, str]]) -> Response:
        return Response(status, body, headers)

    def authorize(self, request: Request, session: BrowserSession) -> Response:
        """Answer an authorization request of a signed-in person."""
        try:
            grant = self.get_consent_grant(request, end_user=session)
        except OAuth2Error as error:
            refused: Response = self.handle_error_response(request, error)
            return refused
        session.told_openid = True
        granted: Response = self.create_authorization_response(request, session, grant)
        return granted

    def metadata(self) -> dict[str, Any]:
        """Return the provider's metadata (Discovery 1.0 section 3)."""
        at = self.issuer
        return {
            "issuer": at,
            "authorization_endpoint": f"{at}/authorize",
            "token_endpoint": f"{at}/token",
            "userinfo_endpoint": f"{at}/userinfo",
            "jwks_uri": f"{at}/jwks.json",
            "end_session_endpoint": f"{at}/end_session",
            "scopes_supported": self.scopes_supported,
            "response_types_supported": ["code"],
            "grant_types_supported": ["authorization_code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [ALGORITHM],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
            "backchannel_logout_supported": True,
            "backchannel_logout_session_supported": True,
        }

    def logout_token(self, session: BrowserSession) -> str:
        """Return the logout token of a session (Back-Channel Logout 1.0 section 2.4)."""
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": self.client.client_id,
            "iat": now,
            "exp": now + 120,
            "jti": secrets.token_urlsafe(16),
            "events": {_LOGOUT_EVENT: {}},
            "sid": session.sid,
            "sub": session.person.subject,
        }
        header = {"alg": ALGORITHM, "kid": self.key.kid, "typ": "logout+jwt"}
        return jwt.encode(header, claims, self.key, [ALGORITHM])


def claims_of(person: Person, scope: str) -> UserInfo:
    """Return the claims of a person for the scopes."""
    claims = UserInfo(
        sub=person.subject,
        preferred_username=person.username,
        name=person.name,
        email=f"{person.username}@example.org",
        email_verified=True,
    ).filter(scope)
    if "groups" in scope.split():
        claims["groups"] = list(person.groups)
    return claims


class _Grant(AuthorizationCodeGrant):
    server: FakeProvider

    def save_authorization_code(self, code: str, request: Request) -> None:
        asked = request.payload.data
        self.server.codes[code] = Code(
            code=code,
            session=request.user,
            redirect_uri=asked.get("redirect_uri", ""),
            scope=request.scope,
            nonce=asked.get("nonce"),
            code_challenge=asked.get("code_challenge"),
            code_challenge_method=asked.get("code_challenge_method"),
        )

    def query_authorization_code(self, code: str, _client: Client) -> Code | None:
        return self.server.codes.get(code)

    def delete_authorization_code(self, authorization_code: Code) -> None:
        self.server.codes.pop(authorization_code.code, None)

    def authenticate_user(self, authorization_code: Code) -> BrowserSession:
        return authorization_code.session


class _OpenIDCode(OpenIDCode):
    """Creates the ID tokens."""

    def __init__(self, provider: FakeProvider) -> None:
        super().__init__(require_nonce=False)
        self._provider = provider

    def exists_nonce(self, _nonce: str, _request: Request) -> bool:
        return False

    def resolve_client_private_key(self, _client: Client) -> ECKey:
        return self._provider.key

    def get_encode_header(self, _client: Client) -> dict[str, Any]:
        return {"alg": ALGORITHM, "kid": self._provider.key.kid}

    def get_client_claims(self, client: Client) -> dict[str, Any]:
        return {"iss": self._provider.issuer, "aud": client.client_id}

    def get_authorization_code_claims(self, authorization_code: Code) -> dict[str, Any]:
        claims: dict[str, Any] = super().get_authorization_code_claims(authorization_code)
        return {**claims, "sid": authorization_code.session.sid}

    def generate_user_info(self, user: BrowserSession, scope: str) -> UserInfo:
        return claims_of(user.person, scope)


class _EndSession(EndSessionEndpoint):
    """Validates sign-out requests. The handler ends the session by its cookie."""

    def get_server_jwks(self) -> KeySet:
        return KeySet([self.server.key])

    def end_session(self, _end_session_request: object) -> None:
        """Do nothing: the handler ends the session."""


class _Issuer(IssuerParameter):
    def __init__(self, issuer: str) -> None:
        self._issuer = issuer

    def get_issuer(self) -> str:
        return self._issuer


def _random(**_whom: object) -> str:
    return secrets.token_urlsafe(32)


def _an_hour(*_whom: object) -> int:
    return 3600
