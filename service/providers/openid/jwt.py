"""A JWT that a provider signed: its header read first, then its signature, then its claims."""

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
    """What the header of a token says of its signature."""

    algorithm: str
    kid: str | None


def read_header(token: str, accepted: frozenset[str], types: frozenset[str]) -> Header:
    """Read the header of a token; `types` are the values of `typ` that it may have, in lower case.

    Raises Unusable.
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
    """Check the signature; return the claims, whose values are not looked at. Raises Unusable."""
    registry = _Registry(algorithms=[header.algorithm], strict_check_header=False)
    try:
        with warnings.catch_warnings():
            # RFC 9864 renames EdDSA, and providers will go on saying it for years.
            warnings.simplefilter("ignore", SecurityWarning)
            library.deserialize_compact(token, key, registry=registry)
    except (JoseError, ValueError, TypeError):
        raise ProviderError(BAD_SIGNATURE) from None
    return _members(token, 1)


def unverified(token: str) -> dict[str, Any]:
    """Return the claims of a token that nobody has checked, to find out whom to ask for the key.

    Raises Unusable.
    """
    return _members(token, 1)


def _members(token: str, segment: int) -> dict[str, Any]:
    """Read the JSON object in a segment; one spelling for each token, as with our own."""
    if len(token) <= _MAX_LENGTH and token.count(".") == _ENCRYPTED_DOTS:
        raise ProviderError("encrypted")
    if len(token) > _MAX_LENGTH or not jws.COMPACT.fullmatch(token):
        raise ProviderError("token_form")
    try:
        return jws.members(jws.decode(token.split(".")[segment].encode()))
    except errors.TokenInvalid:
        raise ProviderError("token_form") from None
