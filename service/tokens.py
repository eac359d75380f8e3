"""The tokens: JWTs (RFC 7519) in the compact form of RFC 7515, issued and verified.

No I/O and no globals. The signature is PyJWT's; what stands around it is read strictly here,
because two readers of one token must never see two different tokens (RFC 8725 section 3).
"""

import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from service import errors, jws, wellformed
from service.bounded import Bounded
from service.config import Config
from service.keys import Key, KeyRing

MAX_BYTES = 3500
"""A longer token is never issued: browsers drop cookies over 4,096 bytes with their attributes."""

REMEMBERED_BYTES = 32 * 2**20
"""How much memory verified tokens may take: 5,000 with two roles, 1,000 of the largest."""

_LEEWAY = 5

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
        self._clock = clock
        self.use(keys)

    def use(self, keys: KeyRing) -> None:
        """Issue and verify with these keys from now on; tokens of a key that left are no good."""
        self._in_use = _in_use(keys)
        self._verified: Bounded[str, Claims] = Bounded(REMEMBERED_BYTES, _size)

    @property
    def has_public_key(self) -> bool:
        """Whether anybody can check what is signed here: by a key pair, not by a secret."""
        return self._in_use.ring.signing.kid is not None

    def public_keys(self) -> tuple[bytes, str]:
        """Return the public set (RFC 7517), and the tag that changes when it does."""
        return self._in_use.ring.jwks, self._in_use.ring.etag

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
        opaque = secrets.token_urlsafe(33)  # 44 letters: two names of 132 bits
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
                "jti": opaque[:22],
                "sid": opaque[22:],
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
        header = _header(self._in_use.ring.signing, typ)
        return self._compact(header, {"iss": self._issuer, **claims})

    def verify(self, token: str) -> Claims:
        """Return the claims of a good token, for reading only: they are remembered.

        A signature is checked once; the time of expiry, each time. Raises TokenInvalid,
        AlgorithmInvalid, TokenExpired, IssuerInvalid or AudienceInvalid.
        """
        known = self._verified.get(token)
        if known is None:
            known = self._verify(token)
            self._verified.put(token, known)
        elif known["exp"] <= self._clock():
            self._verified.drop(token)
            raise errors.TokenExpired
        return known

    def _verify(self, token: str) -> Claims:
        if len(token) > MAX_BYTES or not jws.COMPACT.fullmatch(token):
            raise errors.TokenInvalid
        signed, _, signature_segment = token.encode("ascii").rpartition(b".")
        header_segment, _, payload_segment = signed.partition(b".")
        in_use = self._in_use
        keys = in_use.by_header.get(header_segment) or _find(in_use.ring, header_segment)
        signature = jws.decode(signature_segment)
        if not any(key.verify(signed, signature) for key in keys):
            raise errors.TokenInvalid
        claims = jws.members(jws.decode(payload_segment))
        self._check_claims(claims)
        return claims

    def _sign(self, claims: Claims) -> tuple[str, Claims]:
        token = self._compact(self._in_use.header, claims)
        if len(token) > MAX_BYTES:
            raise errors.TokenTooLarge(
                f"The user {claims['username']} has too many roles ({len(claims['roles'])}) for a"
                f" token of {MAX_BYTES} bytes. Take some away, or give them shorter names."
            )
        return token, claims

    def _compact(self, header: bytes, claims: Claims) -> str:
        """Sign, in the form of RFC 7515 section 7.1. `header` is encoded already."""
        signed = header + b"." + jws.encode(orjson.dumps(claims))
        return (signed + b"." + jws.encode(self._in_use.ring.signing.sign(signed))).decode()

    def _check_claims(self, claims: Claims) -> None:
        if not wellformed.are_claims(claims):
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


@dataclass(frozen=True, slots=True)
class _InUse:
    """A ring of keys, with the headers that belong to it, encoded once."""

    ring: KeyRing
    header: bytes
    by_header: Mapping[bytes, tuple[Key, ...]]


def _in_use(ring: KeyRing) -> _InUse:
    by_header = {
        _header(key): tuple(each for each in ring.find(key.kid) if each.algorithm == key.algorithm)
        for key in ring.verifying
    }
    return _InUse(ring=ring, header=_header(ring.signing), by_header=by_header)


def _header(key: Key, typ: str = "JWT") -> bytes:
    """Return the header segment of what a key signs. A secret needs no `kid`."""
    named = {} if key.kid is None else {"kid": key.kid}
    return jws.encode(orjson.dumps({"alg": key.algorithm, **named, "typ": typ}))


def _find(ring: KeyRing, segment: bytes) -> Iterable[Key]:
    """Return the keys that a header names, by `kid` and `alg` alone.

    `alg`, `kid` and `typ` are all there may be: nothing points anywhere, nothing is critical.
    """
    header = jws.members(jws.decode(segment))
    if header.get("alg") not in [key.algorithm for key in ring.verifying]:
        raise errors.AlgorithmInvalid
    parameters = {"alg", "typ", "kid"} if "kid" in header else {"alg", "typ"}
    if header.keys() != parameters or header["typ"] != "JWT" or header.get("kid", "") is None:
        raise errors.TokenInvalid
    keys = ring.find(header.get("kid"))
    if not keys:
        raise errors.TokenInvalid
    fitting = [key for key in keys if key.algorithm == header["alg"]]
    if not fitting:
        raise errors.AlgorithmInvalid
    return fitting


def _size(token: str, _claims: Claims) -> int:
    """Return how many bytes a verified token takes at most; measured (decision 25)."""
    return 2048 + 9 * len(token)


def peek(token: str) -> tuple[Claims, Claims]:
    """Return header and claims without verifying anything, for people. Raises TokenInvalid."""
    if not jws.COMPACT.fullmatch(token):
        raise errors.TokenInvalid
    header, payload, _ = token.encode("ascii").split(b".")
    return jws.members(jws.decode(header)), jws.members(jws.decode(payload))
