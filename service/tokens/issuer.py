"""Issue and verify JWTs (RFC 7519) in the compact form of RFC 7515.

No I/O and no globals. PyJWT signs and verifies. Everything else is parsed strictly here, because
two parsers must never read a token differently (RFC 8725 section 3).
"""

import hashlib
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service import errors
from service.config import Config
from service.keys import DocumentPurpose, Key, KeyRing, KeySet, Purpose, SigningPurpose
from service.limits.byte_cache import Bounded
from service.tokens import jws, lifetimes, required_claims
from service.tokens.claims import Claims

MAX_BYTES = 3500
"""The maximum size of a token: browsers drop cookies over 4,096 bytes with attributes."""
REMEMBERED_BYTES = 32 * 2**20
"""The memory for verified tokens: 5,000 with two roles, or 1,000 of the largest."""

TYPES: Mapping[DocumentPurpose, str] = {
    Purpose.FEED: "latchkey-revocations+jwt",
    Purpose.ASSERTION: "latchkey-assertion+jwt",
}
"""The header parameter `typ` of documents."""
SECONDS: Mapping[DocumentPurpose, int] = {Purpose.FEED: 120, Purpose.ASSERTION: 60}
"""The lifetime of documents in seconds."""

_LEEWAY = 5


class TokenIssuer:
    """Issues and verifies tokens of one issuer. `clock` returns seconds since 1970.

    Issues no token that expires after `horizon`, the value that the database has recorded, 0 until
    then. With `is_horizon_stuck`, the database cannot record a later one until an administrator
    corrects it. `not_before` is the earliest start of a valid session. `lifetime` is the lifetime
    of a session in seconds.
    """

    def __init__(
        self, config: Config, keys: KeyRing, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._issuer = config.public_url
        self._audience = config.jwt_audience
        self.lifetime = config.jwt_expires_in
        self.horizon = 0
        self.not_before = 0
        self.is_horizon_stuck = False
        self._refuse_bypass = config.production
        self._clock = clock
        self.use(keys)

    def use(self, keys: KeyRing) -> None:
        """Use these keys from now on. Tokens of removed keys become invalid."""
        self._in_use = _in_use(keys)
        self._verified: Bounded[str, Claims] = Bounded(REMEMBERED_BYTES, _size)

    def public_keys(self, purpose: SigningPurpose) -> tuple[bytes, str]:
        """Return the public JWK Set of a purpose (RFC 7517) and its entity tag."""
        keys = self._in_use.ring.keys(purpose)
        return keys.jwks, keys.etag

    def signer(self, purpose: DocumentPurpose) -> str:
        """Return a value that changes with the issuer or the signing key."""
        name = f"{self._in_use.ring.keys(purpose).signer} {self._issuer}"
        return hashlib.sha256(name.encode()).hexdigest()[:16]

    def now(self) -> int:
        """Return the time as a NumericDate (RFC 7519 section 2)."""
        return int(self._clock())

    def issue(
        self, user: Mapping[str, Any], *, amr: Sequence[str], expires_in: int | None = None
    ) -> tuple[str, Claims]:
        """Return the token of a new session, and its claims.

        `user` has `id`, `username`, `roles` and `version`. `amr` are the methods (RFC 8176).
        `expires_in` is in seconds, at most the lifetime of a session. Raises TokenTooLarge, and
        DatabaseUnavailable if the token would expire after the horizon.
        """
        now = self.now()
        opaque = secrets.token_urlsafe(33)  # 44 characters: two IDs of 132 bits
        lifetime = self.lifetime if expires_in is None else min(expires_in, self.lifetime)
        if now + lifetime > self.horizon:
            # Or the clock was set, which is noted within a second.
            raise errors.DatabaseFailed if self.is_horizon_stuck else errors.DatabaseUnavailable
        claims: Claims = {
            "id": user["id"],
            "username": user["username"],
            "roles": user["roles"],
            "iss": self._issuer,
            "sub": str(user["id"]),
            "iat": now,
            "exp": now + lifetime,
            "auth_time": self._signed_in_at(now),
            "jti": opaque[:22],
            "sid": opaque[22:],
            "ver": user["version"],
            "amr": [*amr],
        }
        if self._audience is not None:
            claims["aud"] = self._audience
        return self._sign(claims)

    def exchange(self, token: str, claims: Claims) -> tuple[str, Claims]:
        """Return another token of the session of `token`, which expires when the session does.

        `claims` are the current claims. Keeps `auth_time`, or `iat` of an older version, but not
        later than for a new session: it would survive a sign-out of all users. A slow clock does
        not extend the lifetime. Raises what `verify` raises, as the key of `token` may be removed.
        """
        self.verify(token)
        now, began = self.now(), claims.get("auth_time", int(claims["iat"]))
        issued_at = max(claims["iat"], now) if "auth_time" in claims else claims["iat"]
        fresh: Claims = {**claims, "iat": issued_at, "jti": secrets.token_urlsafe(16)}
        if began > (latest := self._signed_in_at(now)):
            fresh["auth_time"] = latest
        return self._sign(fresh)

    def sign_document(
        self, purpose: DocumentPurpose, claims: Mapping[str, object], *, audience: str
    ) -> str:
        """Return a document JWT, signed by the key of its purpose.

        Adds `iss`, `aud`, `iat` and `exp` to `claims`, and `typ` to the header.
        """
        key, now = self._in_use.ring.keys(purpose).signing, self.now()
        stated = {"iss": self._issuer, "aud": audience, "iat": now, "exp": now + SECONDS[purpose]}
        return jws.compact(key, jws.header(key, TYPES[purpose]), {**claims, **stated})

    def verify(self, token: str) -> Claims:
        """Return the claims of a valid token. Do not change them: they are cached.

        Checks the signature once, and the expiry each time. Raises TokenInvalid, AlgorithmInvalid,
        TokenExpired, IssuerInvalid or AudienceInvalid.
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
        keys = in_use.by_header.get(header_segment) or _find(in_use.sessions, header_segment)
        signature = jws.decode(signature_segment)
        if not any(key.verify(signed, signature) for key in keys):
            raise errors.TokenInvalid
        claims = jws.members(jws.decode(payload_segment))
        if not required_claims.are_claims(claims, ahead=lifetimes.DATED_AHEAD):
            raise errors.TokenInvalid
        self._check_claims(claims)
        return claims

    def _signed_in_at(self, now: int) -> int:
        """Return the time of a sign-in, at least `not_before`, which may be slightly ahead.

        A `not_before` that is further ahead is from a wrong clock and is not used.
        """
        return self.not_before if now < self.not_before <= now + lifetimes.DATED_AHEAD else now

    def _sign(self, claims: Claims) -> tuple[str, Claims]:
        token = jws.compact(self._in_use.sessions.signing, self._in_use.header, claims)
        if len(token) > MAX_BYTES:
            raise errors.TokenTooLarge(
                f"The user {claims['username']} has too many roles ({len(claims['roles'])}) for a"
                f" token of {MAX_BYTES} bytes. Revoke some of them, or use shorter role names."
            )
        return token, claims

    def _check_claims(self, claims: Claims) -> None:
        if claims.get("iss") != self._issuer:
            raise errors.IssuerInvalid
        if claims.get("aud") != self._audience or ("aud" in claims) != bool(self._audience):
            raise errors.AudienceInvalid
        now = self._clock()
        if claims["exp"] <= now:
            raise errors.TokenExpired
        is_early = claims["iat"] > now + _LEEWAY or claims.get("nbf", 0) > now + _LEEWAY
        if is_early or (self._refuse_bypass and "bypass" in claims["amr"]):
            raise errors.TokenInvalid


@dataclass(frozen=True, slots=True)
class _InUse:
    """A key ring, with the keys of sessions and their encoded headers."""

    ring: KeyRing
    sessions: KeySet
    header: bytes
    by_header: Mapping[bytes, tuple[Key, ...]]


def _in_use(ring: KeyRing) -> _InUse:
    sessions = ring.keys(Purpose.SESSION)
    by_header = {
        jws.header(key): tuple(
            each for each in sessions.find(key.kid) if each.algorithm == key.algorithm
        )
        for key in sessions.verifying
    }
    return _InUse(ring, sessions, jws.header(sessions.signing), by_header)


def _find(keys: KeySet, segment: bytes) -> Iterable[Key]:
    """Return the keys for a header, by `kid` and `alg` only.

    The header may contain only `alg`, `kid` and `typ`: no key references and no `crit`.
    """
    header = jws.members(jws.decode(segment))
    if header.get("alg") not in [key.algorithm for key in keys.verifying]:
        raise errors.AlgorithmInvalid
    parameters = {"alg", "typ", "kid"} if "kid" in header else {"alg", "typ"}
    if header.keys() != parameters or header["typ"] != "JWT" or header.get("kid", "") is None:
        raise errors.TokenInvalid
    named = keys.find(header.get("kid"))
    if not named:
        raise errors.TokenInvalid
    fitting = [key for key in named if key.algorithm == header["alg"]]
    if not fitting:
        raise errors.AlgorithmInvalid
    return fitting


def _size(token: str, _claims: Claims) -> int:
    """Return the maximum memory of a verified token in bytes, as measured (decision 25)."""
    return 2048 + 9 * len(token)
