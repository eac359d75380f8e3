"""A provider's metadata (OpenID Connect Discovery 1.0 section 4)."""

import codecs
import re
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

from service.parsing import lenient_json, urls
from service.parsing.lenient_json import Unclear
from service.providers.openid import algorithms
from service.providers.openid.errors import DocumentError, DocumentUnsupported

PATH = "/.well-known/openid-configuration"
_ADDRESS = re.compile(r"[!-~]{1,2048}")
_OPTIONAL = ("userinfo_endpoint", "end_session_endpoint")


@dataclass(frozen=True, slots=True)
class Metadata:
    """The metadata of a provider.

    `takes_secret`: the client secret is sent; `basic`: in the header, else in the body. `prompts`
    are the supported values of `prompt`, None if the metadata has no list. `algorithms` are the
    allowed signature algorithms of ID tokens. `names_issuer`: each response contains `iss` (RFC
    9207).
    `unusable` are the optional endpoints that the provider has, but whose URL cannot be used.
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
    unusable: frozenset[str] = frozenset()
    prompts: frozenset[str] | None = None
    takes_secret: bool = True

    def optional(self, name: Literal["userinfo_endpoint", "end_session_endpoint"]) -> str | None:
        """Return an optional endpoint, None if there is none. Raises DocumentError."""
        if name in self.unusable:
            raise DocumentError("metadata_endpoint")
        return self.userinfo_endpoint if name == "userinfo_endpoint" else self.end_session_endpoint


def read(document: bytes, issuer: str, *, auth_method: str | None = None) -> Metadata:
    """Parse the document that `issuer` serves at PATH. Raises DocumentError.

    Judges what a sign-in needs. An optional endpoint is judged where it is used. `auth_method` is
    the setting that replaces the methods of the document.
    """
    members = read_object(document, "metadata")
    if members.get("issuer") != issuer:
        raise DocumentError("metadata_issuer")
    methods = (
        _words(members, "token_endpoint_auth_methods_supported", "client_secret_basic")
        if auth_method is None
        else frozenset({auth_method})
    )
    if not methods & {"client_secret_basic", "client_secret_post", "none"}:
        raise DocumentUnsupported("metadata_auth_methods")
    signing = _words(members, "id_token_signing_alg_values_supported", "RS256")
    if not signing & algorithms.ACCEPTED:
        raise DocumentUnsupported("metadata_algorithms")
    if "S256" not in _words(members, "code_challenge_methods_supported", "S256"):
        raise DocumentUnsupported("metadata_pkce")
    optional = {name: _optional(members, name, issuer) for name in _OPTIONAL}
    return Metadata(
        issuer=issuer,
        authorization_endpoint=_required(members, "authorization_endpoint", issuer),
        token_endpoint=_required(members, "token_endpoint", issuer),
        jwks_uri=_required(members, "jwks_uri", issuer),
        **optional,
        basic="client_secret_basic" in methods,
        takes_secret=not methods.isdisjoint({"client_secret_basic", "client_secret_post"}),
        algorithms=signing & algorithms.ACCEPTED,
        names_issuer=_names_issuer(members),
        prompts=_prompts(members.get("prompt_values_supported")),
        unusable=frozenset(
            name
            for name, address in optional.items()
            if address is None and members.get(name) is not None
        ),
    )


def read_object(document: bytes, reason: str) -> dict[str, Any]:
    """Parse a document with one JSON object. Raises DocumentError with `reason`.

    Ignores a byte order mark at the start, as RFC 8259 section 8.1 allows.
    """
    try:
        return lenient_json.loads(document.removeprefix(codecs.BOM_UTF8))
    except ValueError:
        raise DocumentError(reason) from None


def _names_issuer(members: dict[str, Any]) -> bool:
    announced = members.get("authorization_response_iss_parameter_supported")
    if isinstance(announced, Unclear):
        raise DocumentError("metadata")
    return announced is True


def _prompts(values: Any) -> frozenset[str] | None:
    """Return the supported values of `prompt` (Initiating User Registration 1.0), if known."""
    if not isinstance(values, list):
        return None
    return frozenset(value for value in values if isinstance(value, str))


def _words(members: dict[str, Any], name: str, default: str) -> frozenset[str]:
    """Return the texts in a list; those of the standard if it is absent. Skips other elements."""
    words = members.get(name)
    if words is None:
        return frozenset((default,))
    if not isinstance(words, list):
        raise DocumentError("metadata")
    return frozenset(word for word in words if isinstance(word, str))


def _required(members: dict[str, Any], name: str, issuer: str) -> str:
    address = members.get(name)
    if not _is_endpoint(address, issuer):
        raise DocumentError("metadata_endpoint")
    return str(address)


def _optional(members: dict[str, Any], name: str, issuer: str) -> str | None:
    address = members.get(name)
    return str(address) if _is_endpoint(address, issuer) else None


def _is_endpoint(address: Any, issuer: str) -> bool:
    """Return whether a value is a URL: https if the issuer has it, and without a user name.

    It may be on another host than the issuer. Google uses three others.
    """
    if not isinstance(address, str) or not _ADDRESS.fullmatch(address):
        return False
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and issuer.startswith("http://"))
    if not is_safe or parts.fragment:
        return False
    return urls.origin(f"{parts.scheme}://{parts.netloc}") is not None
