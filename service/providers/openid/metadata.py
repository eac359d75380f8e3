"""A provider's metadata (OpenID Connect Discovery 1.0 section 4)."""

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from service.parsing import strict_json, urls
from service.providers.openid import algorithms
from service.providers.openid.errors import ProviderError

PATH = "/.well-known/openid-configuration"
_ADDRESS = re.compile(r"[!-~]{1,2048}")


@dataclass(frozen=True, slots=True)
class Metadata:
    """The metadata of a provider.

    `basic`: the client secret is sent in the header, else in the body. `prompts` are the supported
    values of `prompt`, None if the metadata has no list. `algorithms` are the allowed
    signature algorithms of ID tokens. `names_issuer`: each response contains `iss` (RFC 9207).
    """

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None
    end_session_endpoint: str | None
    basic: bool
    algorithms: frozenset[str]
    names_issuer: bool
    prompts: frozenset[str] | None = None


def read(document: bytes, issuer: str, *, auth_method: str | None = None) -> Metadata:
    """Parse the document that `issuer` serves at PATH. Raises ProviderError.

    `auth_method` is the setting that replaces the methods of the document.
    """
    members = read_object(document, "metadata")
    if members.get("issuer") != issuer:
        raise ProviderError("metadata_issuer")
    methods = _words(members, "token_endpoint_auth_methods_supported", ["client_secret_basic"])
    if auth_method is not None:
        methods = frozenset({auth_method})
    if not methods & {"client_secret_basic", "client_secret_post", "none"}:
        raise ProviderError("metadata_auth_methods")
    signing = _words(members, "id_token_signing_alg_values_supported", ["RS256"])
    if not signing & algorithms.ACCEPTED:
        raise ProviderError("metadata_algorithms")
    if "code" not in _words(members, "response_types_supported", ["code"]):
        raise ProviderError("metadata_response_types")
    if "S256" not in _words(members, "code_challenge_methods_supported", ["S256"]):
        raise ProviderError("metadata_pkce")
    return Metadata(
        issuer=issuer,
        authorization_endpoint=_required(members, "authorization_endpoint", issuer),
        token_endpoint=_required(members, "token_endpoint", issuer),
        jwks_uri=_required(members, "jwks_uri", issuer),
        userinfo_endpoint=_endpoint(members, "userinfo_endpoint", issuer),
        end_session_endpoint=_endpoint(members, "end_session_endpoint", issuer),
        basic="client_secret_basic" in methods,
        algorithms=signing & algorithms.ACCEPTED,
        names_issuer=members.get("authorization_response_iss_parameter_supported") is True,
        prompts=_prompts(members.get("prompt_values_supported")),
    )


def read_object(document: bytes, reason: str) -> dict[str, Any]:
    """Parse a document with one JSON object. Raises ProviderError with `reason`."""
    try:
        value = strict_json.loads(document)
    except ValueError:
        raise ProviderError(reason) from None
    if not isinstance(value, dict):
        raise ProviderError(reason)
    return value


def _prompts(values: Any) -> frozenset[str] | None:
    """Return the supported values of `prompt` (Initiating User Registration 1.0), if known."""
    if not isinstance(values, list):
        return None
    return frozenset(value for value in values if isinstance(value, str))


def _words(members: dict[str, Any], name: str, default: list[str]) -> frozenset[str]:
    words = members.get(name, default)
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise ProviderError("metadata")
    return frozenset(words)


def _required(members: dict[str, Any], name: str, issuer: str) -> str:
    found = _endpoint(members, name, issuer)
    if found is None:
        raise ProviderError("metadata_endpoint")
    return found


def _endpoint(members: dict[str, Any], name: str, issuer: str) -> str | None:
    """Return a URL of the provider: https if the issuer has it, and without a user name.

    It may be on another host than the issuer. Google uses three others.
    """
    address = members.get(name)
    if address is None:
        return None
    if not isinstance(address, str) or not _ADDRESS.fullmatch(address):
        raise ProviderError("metadata_endpoint")
    try:
        parts = urlsplit(address)
    except ValueError:
        raise ProviderError("metadata_endpoint") from None
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and issuer.startswith("http://"))
    if not is_safe or parts.fragment or urls.origin(f"{parts.scheme}://{parts.netloc}") is None:
        raise ProviderError("metadata_endpoint")
    return address
