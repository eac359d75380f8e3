"""The tokens: JWTs (RFC 7519) in the compact form of RFC 7515, issued and verified.

No I/O and no globals. The signature is PyJWT's; what stands around it is read strictly here,
because two readers of one token must never see two different tokens (RFC 8725 section 3).
"""

import base64
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from service import errors, strict_json
from service.config import Config
from service.keys import KeyRing

MAX_BYTES = 3500
"""A longer token is never issued: browsers drop cookies over 4,096 bytes with their attributes."""

REMEMBERED = 4096
"""How many verified tokens are kept, of some 2.5 KB each."""

_LEEWAY = 5
_END_OF_TIME = 253402300799  # 9999-12-31T23:59:59Z
_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", re.ASCII)
_OPAQUE = re.compile(r"[A-Za-z0-9_-]{8,64}", re.ASCII)

Claims = dict[str, Any]


class Tokens:
    """Issues and verifies for one issuer. `clock` returns the time as seconds since 1970."""

    def __init__(
        self, config: Config, keys: KeyRing, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._issuer = config.public_url
        self._audience = config.jwt_audience
        self._lifetime = config.jwt_expires_in
        self._refuse_bypass = config.production
        self._keys = keys
        self._clock = clock
        self._verified: OrderedDict[str, Claims] = OrderedDict()
        self._header = _segment(orjson.dumps({"alg": keys.signing.algorithm, "typ": "JWT"}))

    def now(self) -> int:
        """Return the time as a NumericDate (RFC 7519 section 2)."""
        return int(self._clock())

    def issue(
        self, user: Mapping[str, Any], *, amr: str, expires_in: int | None = None
    ) -> tuple[str, Claims]:
        """Return a token that begins a session, and its claims.

        `user` has `id`, `username`, `roles` and `version`; `amr` says how the user signed in (RFC
        8176); `expires_in` are seconds, at most the life of a session. Raises TokenTooLarge.
        """
        now = self.now()
        lifetime = self._lifetime if expires_in is None else min(expires_in, self._lifetime)
        return self._sign(
            {
                "id": user["id"],
                "username": user["username"],
                "roles": user["roles"],
                "iss": self._issuer,
                "sub": str(user["id"]),
                "iat": now,
                "exp": now + lifetime,
                "jti": secrets.token_urlsafe(16),
                "sid": secrets.token_urlsafe(16),
                "ver": user["version"],
                "amr": [amr],
                **({} if self._audience is None else {"aud": self._audience}),
            }
        )

    def exchange(self, claims: Claims) -> tuple[str, Claims]:
        """Return another token of the same session, which ends when the session does."""
        return self._sign({**claims, "iat": self.now(), "jti": secrets.token_urlsafe(16)})

    def sign_document(self, claims: Claims, *, typ: str) -> str:
        """Return a JWT that is not a session: its header parameter `typ` says what it is."""
        header = orjson.dumps({"alg": self._keys.signing.algorithm, "typ": typ})
        return self._compact(_segment(header), {"iss": self._issuer, **claims})

    def verify(self, token: str) -> Claims:
        """Return the claims of a good token, for reading only: they are remembered.

        A signature is checked once; the time of expiry, each time. Raises TokenInvalid,
        AlgorithmInvalid, TokenExpired, IssuerInvalid or AudienceInvalid.
        """
        known = self._verified.get(token)
        if known is None:
            known = self._verified[token] = self._verify(token)
            if len(self._verified) > REMEMBERED:
                self._verified.popitem(last=False)
        elif known["exp"] <= self._clock():
            del self._verified[token]
            raise errors.TokenExpired
        return known

    def _verify(self, token: str) -> Claims:
        if len(token) > MAX_BYTES or not _COMPACT.fullmatch(token):
            raise errors.TokenInvalid
        signed, _, signature_segment = token.encode("ascii").rpartition(b".")
        header_segment, _, payload_segment = signed.partition(b".")
        if header_segment != self._header:
            self._check_header(header_segment)
        signature = _unsegment(signature_segment)
        if not any(key.verify(signed, signature) for key in self._keys.verifying):
            raise errors.TokenInvalid
        claims = _object(_unsegment(payload_segment))
        self._check_claims(claims)
        return claims

    def _sign(self, claims: Claims) -> tuple[str, Claims]:
        token = self._compact(self._header, claims)
        if len(token) > MAX_BYTES:
            raise errors.TokenTooLarge(
                f"The user {claims['username']} has too many roles ({len(claims['roles'])}) for a"
                f" token of {MAX_BYTES} bytes. Take some away, or give them shorter names."
            )
        return token, claims

    def _compact(self, header: bytes, claims: Claims) -> str:
        """Sign, in the form of RFC 7515 section 7.1. `header` is encoded already."""
        signed = header + b"." + _segment(orjson.dumps(claims))
        return (signed + b"." + _segment(self._keys.signing.sign(signed))).decode()

    def _check_header(self, segment: bytes) -> None:
        """Accept our two header parameters alone: nothing else points anywhere, or is critical."""
        header = _object(_unsegment(segment))
        if header.get("alg") not in [key.algorithm for key in self._keys.verifying]:
            raise errors.AlgorithmInvalid
        if header.keys() != {"alg", "typ"} or header["typ"] != "JWT":
            raise errors.TokenInvalid

    def _check_claims(self, claims: Claims) -> None:
        if not _is_well_formed(claims):
            raise errors.TokenInvalid
        if claims.get("iss") != self._issuer:
            raise errors.IssuerInvalid
        if claims.get("aud") != self._audience or ("aud" in claims) != bool(self._audience):
            raise errors.AudienceInvalid
        now = self._clock()
        if claims["exp"] <= now:
            raise errors.TokenExpired
        if claims["iat"] > now + _LEEWAY or claims.get("nbf", 0) > now + _LEEWAY:
            raise errors.TokenInvalid
        if self._refuse_bypass and "bypass" in claims["amr"]:
            raise errors.TokenInvalid


def peek(token: str) -> tuple[Claims, Claims]:
    """Return header and claims without verifying anything, for people. Raises TokenInvalid."""
    if not _COMPACT.fullmatch(token):
        raise errors.TokenInvalid
    header, payload, _ = token.encode("ascii").split(b".")
    return _object(_unsegment(header)), _object(_unsegment(payload))


def _is_well_formed(claims: Claims) -> bool:
    """Tell whether every claim that we rely on is there, and of its type."""
    get = claims.get
    roles = get("roles")
    return (
        _is_count(get("id"))
        and get("sub") == str(claims["id"])
        and isinstance(get("username"), str)
        and isinstance(roles, list)
        and all(_is_role(role) for role in roles)
        and _is_count(get("ver"))
        and _is_date(get("iat"))
        and _is_date(get("exp"))
        and _is_date(get("nbf", 0))
        and _is_opaque(get("sid"))
        and _is_opaque(get("jti"))
        and _is_methods(get("amr"))
    )


def _is_count(value: object) -> bool:
    return type(value) is int and 0 < value < 2**63


def _is_date(value: object) -> bool:
    return type(value) is int and 0 <= value <= _END_OF_TIME


def _is_opaque(value: object) -> bool:
    return isinstance(value, str) and _OPAQUE.fullmatch(value) is not None


def _is_methods(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(word, str) for word in value)


def _is_role(value: object) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == {"id", "role"}
        and _is_count(value["id"])
        and isinstance(value["role"], str)
    )


def _object(data: bytes) -> dict[str, Any]:
    try:
        value = strict_json.loads(data)
    except ValueError:
        raise errors.TokenInvalid from None
    if not isinstance(value, dict):
        raise errors.TokenInvalid
    return value


def _segment(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _unsegment(segment: bytes) -> bytes:
    """Decode base64url; refuse padding and second spellings of the same bytes (RFC 4648 3.5)."""
    try:
        data = base64.urlsafe_b64decode(segment + b"=" * (-len(segment) % 4))
    except ValueError:
        raise errors.TokenInvalid from None
    if _segment(data) != segment:
        raise errors.TokenInvalid
    return data
