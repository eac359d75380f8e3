"""The token request and response (RFC 6749 section 4.1.3)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote_plus

from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.rfc6749.parameters import prepare_token_request

from service.parsing.lenient_json import Unclear
from service.providers.openid.errors import DocumentError, TokenRefused, error_code
from service.providers.openid.metadata import Metadata, read_object

_REJECTED = frozenset({400, 401, 403})
"""The statuses of an error response (RFC 6749 section 5.2); 403 as some providers have it."""


@dataclass(frozen=True, slots=True)
class Request:
    """A token request: headers, and a form as the body."""

    headers: dict[str, str] = field(repr=False)
    body: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class TokenResponse:
    """The tokens in a response. `is_bearer`: the access token can be sent as a bearer token."""

    id_token: str = field(repr=False)
    access_token: str | None = field(repr=False)
    is_bearer: bool = True


def request(
    metadata: Metadata,
    *,
    client_id: str,
    client_secret: str | None,
    redirect_uri: str,
    code: str,
    verifier: str,
) -> Request:
    """Return the token request for a code. Send it only once.

    A public client sends its client ID, others authenticate with the provider's method.
    """
    body = prepare_token_request(
        "authorization_code", redirect_uri=redirect_uri, code=code, code_verifier=verifier
    )
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Accept": "application/json",
    }
    if client_secret is None or not metadata.takes_secret:
        client = ClientAuth(client_id, None, "none")
    elif metadata.basic:
        # Both are form-encoded before they are put in the header (RFC 6749 section 2.3.1).
        client = ClientAuth(quote_plus(client_id), quote_plus(client_secret), "client_secret_basic")
    else:
        client = ClientAuth(client_id, client_secret, "client_secret_post")
    _, headers, body = client.prepare("POST", metadata.token_endpoint, headers, body)
    return Request(headers, body)


def read(status: int, document: bytes) -> TokenResponse:
    """Parse the response. Raises TokenRefused for an error, and DocumentError.

    Some providers return errors with the status 200.
    """
    if status in _REJECTED:
        raise TokenRefused(_error(document), is_client=status != 400)
    if status != 200:
        raise DocumentError(f"token_answer_status_{status}")
    members = read_object(document, "token_answer")
    id_token, access_token = members.get("id_token"), members.get("access_token")
    if id_token is None and members.get("error"):
        raise TokenRefused(error_code(members["error"]), is_client=False)
    if not isinstance(access_token, str | None) or isinstance(id_token, Unclear):
        raise DocumentError("token_answer")
    if not isinstance(id_token, str):
        raise DocumentError("id_token_missing")
    return TokenResponse(id_token, access_token, is_bearer=_is_bearer(members))


def _error(document: bytes) -> str:
    """Return the error code of an error response (RFC 6749 section 5.2)."""
    try:
        members = read_object(document, "token_answer")
    except DocumentError:
        return "unreadable"
    return error_code(members.get("error"))


def _is_bearer(members: Mapping[str, Any]) -> bool:
    kind = members.get("token_type")
    return kind is None or (isinstance(kind, str) and kind.lower() == "bearer")
