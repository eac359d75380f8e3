"""Verify a provider's JWT: header, signature, then claims."""

import warnings
from dataclasses import dataclass
from typing import Any

from joserfc import jws as library
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import Key

from service import errors
from service.providers.openid.errors import ProviderError
from service.tokens import jws

BAD_SIGNATURE = "signature"
_MAX_LENGTH = 16384
_ENCRYPTED_DOTS = 4


class _Registry(library.JWSRegistry):
    max_header_length = 8192


@dataclass(frozen=True, slots=True)
class Header:
    """The signature parameters in the header of a token."""

    algorithm: str
    kid: str | None


def read_header(token: str, accepted: frozenset[str], types: frozenset[str]) -> Header:
    """Parse the header of a token. `types` are the allowed values of `typ` in lower case.

    Raises ProviderError.
    """
    members = _members(token, 0)
    algorithm, kid, typ = members.get("alg"), members.get("kid"), members.get("typ", "JWT")
    if not isinstance(algorithm, str) or algorithm not in accepted:
        raise ProviderError("algorithm")
    if kid is not None and not isinstance(kid, str):
        raise ProviderError("header")
    if not isinstance(typ, str) or typ.lower() not in types:
        raise ProviderError("token_type")
    if "crit" in members or "b64" in members:
        raise ProviderError("header")
    return Header(algorithm, kid)


def verify(token: str, header: Header, key: Key) -> dict[str, Any]:
    """Verify the signature and return the unchecked claims. Raises ProviderError."""
    registry = _Registry(algorithms=[header.algorithm], strict_check_header=False)
    try:
        with warnings.catch_warnings():
            # RFC 9864 renames EdDSA, but providers will use the old name for years.
            warnings.simplefilter("ignore", SecurityWarning)
            library.deserialize_compact(token, key, registry=registry)
    except (JoseError, ValueError, TypeError):
        raise ProviderError(BAD_SIGNATURE) from None
    return _members(token, 1)


def unverified(token: str) -> dict[str, Any]:
    """Return the claims of an unverified token, to find its provider. Raises ProviderError."""
    return _members(token, 1)


def _members(token: str, segment: int) -> dict[str, Any]:
    """Parse the JSON object of a segment. Rejects non-canonical encodings, as for our tokens."""
    if len(token) <= _MAX_LENGTH and token.count(".") == _ENCRYPTED_DOTS:
        raise ProviderError("encrypted")
    if len(token) > _MAX_LENGTH or not jws.COMPACT.fullmatch(token):
        raise ProviderError("token_form")
    try:
        return jws.members(jws.decode(token.split(".")[segment].encode()))
    except errors.TokenInvalid:
        raise ProviderError("token_form") from None
