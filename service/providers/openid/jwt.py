"""Verify a provider's JWT: header, signature, then claims."""

import re
import warnings
from dataclasses import dataclass
from typing import Any

from joserfc import jws as library
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import Key

from service.parsing import base64url, lenient_json
from service.providers.openid.errors import ProviderError, Unsupported
from service.tokens import jws

BAD_SIGNATURE = "signature"
_ENCRYPTED = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]*){4}", re.ASCII)
"""The form of an encrypted token: five segments (RFC 7516 section 7.1)."""


@dataclass(frozen=True, slots=True)
class Header:
    """The signature parameters in the header of a token."""

    algorithm: str
    kid: str | None


def read_header(token: str, accepted: frozenset[str], types: frozenset[str]) -> Header:
    """Parse the header of a token. `types` are the allowed values of `typ` in lower case.

    Reads only the members that decide. A token has no length limit of its own: that of the document
    with the token applies. Raises ProviderError.
    """
    members = _members(token, 0)
    algorithm, kid, typ = members.get("alg"), members.get("kid"), members.get("typ")
    if not isinstance(algorithm, str) or algorithm not in accepted:
        raise Unsupported("algorithm")
    if kid is not None and not isinstance(kid, str):
        raise ProviderError("header")
    if typ is not None and not (isinstance(typ, str) and _plain_type(typ) in types):
        raise ProviderError("token_type")
    if members.get("crit") is not None or members.get("b64") is not None:
        raise ProviderError("header")
    return Header(algorithm, kid)


def verify(token: str, header: Header, key: Key) -> dict[str, Any]:
    """Verify the signature and return the unchecked claims. Raises ProviderError.

    Uses only the algorithm of the library: its parser also judges members that nobody uses, such as
    `x5c`, and has limits of its own.
    """
    signed, _, signature = token.rpartition(".")
    try:
        with warnings.catch_warnings():
            # RFC 9864 renames EdDSA, but providers will use the old name for years.
            warnings.simplefilter("ignore", SecurityWarning)
            algorithm = library.JWSRegistry(algorithms=[header.algorithm]).get_alg(header.algorithm)
        algorithm.check_key(key)
        is_valid = algorithm.verify(signed.encode(), base64url.decode(signature.encode()), key)
    except (JoseError, ValueError, TypeError):
        is_valid = False
    if not is_valid:
        raise ProviderError(BAD_SIGNATURE)
    return _members(token, 1)


def unverified(token: str) -> dict[str, Any]:
    """Return the claims of an unverified token, to find its provider. Raises ProviderError."""
    return _members(token, 1)


def is_jwt(text: str) -> bool:
    """Return whether a text has the form of a token, signed or encrypted."""
    return bool(jws.COMPACT.fullmatch(text) or _ENCRYPTED.fullmatch(text))


def _plain_type(typ: str) -> str:
    """Return a type in lower case, without the family that may be left out (RFC 7515 4.1.9)."""
    return typ.lower().removeprefix("application/")


def _members(token: str, segment: int) -> dict[str, Any]:
    """Parse the JSON object of a segment. Rejects non-canonical encodings, as for our tokens."""
    if _ENCRYPTED.fullmatch(token):
        raise Unsupported("encrypted")
    if not jws.COMPACT.fullmatch(token):
        raise ProviderError("token_form")
    try:
        return lenient_json.loads(base64url.decode(token.split(".")[segment].encode()))
    except ValueError:
        raise ProviderError("token_form") from None
