"""The code for an ID token: the request to the token endpoint, and its answer (RFC 6749 4.1.3)."""

from dataclasses import dataclass, field
from urllib.parse import quote_plus

from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.rfc6749.parameters import prepare_token_request

from service.providers.openid.errors import LoginRejected, ProviderError
from service.providers.openid.metadata import Metadata, read_object


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent to the token endpoint: headers, and a form in the body."""

    headers: dict[str, str] = field(repr=False)
    body: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class TokenResponse:
    """What came back."""

    id_token: str = field(repr=False)
    access_token: str | None = field(repr=False)


def request(
    metadata: Metadata,
    *,
    client_id: str,
    client_secret: str | None,
    redirect_uri: str,
    code: str,
    verifier: str,
) -> Request:
    """Return the request for a code, which may be sent once.

    A client without a secret names itself; one with a secret shows it as the provider likes it.
    """
    body = prepare_token_request(
        "authorization_code", redirect_uri=redirect_uri, code=code, code_verifier=verifier
    )
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Accept": "application/json",
    }
    if client_secret is None:
        client = ClientAuth(client_id, None, "none")
    elif metadata.basic:
        # In the header both are written as in a form first (RFC 6749 section 2.3.1).
        client = ClientAuth(quote_plus(client_id), quote_plus(client_secret), "client_secret_basic")
    else:
        client = ClientAuth(client_id, client_secret, "client_secret_post")
    _, headers, body = client.prepare("POST", metadata.token_endpoint, headers, body)
    return Request(headers, body)


def read(status: int, document: bytes) -> TokenResponse:
    """Read the answer. Raises Rejected where the provider does not take the code, and Unusable."""
    if status != 200:
        raise LoginRejected("token_refused")
    members = read_object(document, "token_answer")
    id_token, access_token = members.get("id_token"), members.get("access_token")
    if not isinstance(id_token, str):
        raise ProviderError("id_token_missing")
    if not isinstance(access_token, str | None):
        raise ProviderError("token_answer")
    if str(members.get("token_type", "Bearer")).lower() != "bearer":
        raise ProviderError("token_answer")
    return TokenResponse(id_token, access_token)
