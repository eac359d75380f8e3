"""The authorization request and response (RFC 6749 section 4.1, RFC 9207)."""

import re
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from authlib.common.urls import add_params_to_uri
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from service.providers.openid.errors import LoginRejected, error_code
from service.providers.openid.metadata import Metadata

_CODE = re.compile(r"[ -~]+")
_MAX_CODE = 4096
_EXPIRED = "authentication_expired"
"""The description by which Keycloak asks to start again: its own login page has expired."""
BUSY = "temporarily_unavailable"
_OURS = ("code", "state", "iss", "error")
CHOICES = ("select_account", "login")
"""The values of `prompt` by which a provider lets the user choose an account, the best first."""
_NOT_ASKED_FOR = frozenset({"id_token", "access_token", "response"})


class AccessDenied(Exception):
    """The provider returned an error (RFC 6749 4.1.2.1, OpenID Connect Core 3.1.2.6).

    `error` is its code, or `other` if it does not have the form of one. `asks_again`: the provider
    could not finish its own page, and a new request helps at once.
    """

    def __init__(self, error: str, *, asks_again: bool = False) -> None:
        self.error = error
        self.asks_again = asks_again
        super().__init__(error)


@dataclass(frozen=True, slots=True)
class Secrets:
    """The values that bind a response to its request: `nonce` and the PKCE `verifier`."""

    nonce: str = field(repr=False)
    verifier: str = field(repr=False)


def new_secrets() -> Secrets:
    """Return new secrets of 256 bits each."""
    return Secrets(nonce=secrets.token_urlsafe(32), verifier=secrets.token_urlsafe(32))


def address(  # noqa: PLR0913  # what the request contains
    metadata: Metadata,
    *,
    client_id: str,
    redirect_uri: str,
    scopes: Sequence[str],
    state: str,
    bound: Secrets,
    params: Mapping[str, str] | None = None,
) -> str:
    """Return the authorization URL: code flow with PKCE (RFC 7636, S256).

    `params` are further parameters, with other names.
    """
    where: str = prepare_grant_uri(
        metadata.authorization_endpoint,
        client_id=client_id,
        response_type="code",
        redirect_uri=redirect_uri,
        scope=list(scopes),
        state=state,
        nonce=bound.nonce,
        code_challenge=create_s256_code_challenge(bound.verifier),
        code_challenge_method="S256",
    )
    return str(add_params_to_uri(where, params.items())) if params else where


def with_account_choice(
    params: Mapping[str, str], metadata: Metadata, wanted: str
) -> dict[str, str]:
    """Return parameters with a `prompt` by which the user can choose another account.

    `wanted` is one of CHOICES. If the provider does not support it, the next one is used.
    """
    known, supported = params.get("prompt", "").split(), metadata.prompts
    later = CHOICES[CHOICES.index(wanted) :]
    choices = [each for each in later if supported is None or each in supported]
    if not choices or not set(CHOICES).isdisjoint(known):
        return dict(params)
    prompts = [each for each in known if each != "none"]
    return {**params, "prompt": " ".join([*prompts, choices[0]])}


def read_code(answer: Mapping[str, Collection[str]], metadata: Metadata) -> str:
    """Return the code of a response whose `state` has been checked.

    `answer` has each parameter with all its values. Empty ones are absent (RFC 6749 section 3.1).
    Raises AccessDenied, LoginRejected.
    """
    answer = {name: told for name, values in answer.items() if (told := [*filter(None, values)])}
    if any(len(answer.get(name, ())) > 1 for name in _OURS):
        raise LoginRejected("parameter_twice")
    if _NOT_ASKED_FOR & answer.keys():
        raise LoginRejected("response_mode")
    issuer, error, code = (next(iter(answer.get(name, ())), None) for name in _OURS[2:] + _OURS[:1])
    if issuer is None and metadata.names_issuer:
        raise LoginRejected("issuer_missing")
    if issuer not in (None, metadata.issuer):
        raise LoginRejected("issuer_mixed_up")
    if error is not None and code is not None:
        raise LoginRejected("error_and_code")
    if error is not None:
        asks_again = error == BUSY and _EXPIRED in answer.get("error_description", ())
        raise AccessDenied(error_code(error), asks_again=asks_again)
    if code is None:
        raise LoginRejected("code_missing")
    if len(code) > _MAX_CODE:
        raise LoginRejected("code_too_long", limit=f"{_MAX_CODE:,} characters of a code")
    if not _CODE.fullmatch(code):
        raise LoginRejected("code_form")
    return code
