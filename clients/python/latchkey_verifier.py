"""Verifies Latchkey's tokens locally, and rejects revoked ones by following its feed."""

import contextlib
import functools
import hmac
import http.client
import re
import threading
import time
from dataclasses import KW_ONLY, dataclass, field
from typing import Any
from urllib.parse import urlsplit

import jwt

_FEED = "latchkey-revocations"  # its `aud`, and with "+jwt" its `typ`
_MAX_BYTES = 3500  # of a token; Latchkey issues no larger one
_WORD = "[A-Za-z0-9_-]"
_SEGMENT = rf"(?:{_WORD}{{4}})*(?:{_WORD}{{4}}|{_WORD}[AQgw]|{_WORD}{{2}}[AEIMQUYcgkosw048])"
_COMPACT = re.compile(rf"{_SEGMENT}\.{_SEGMENT}\.{_SEGMENT}")  # each token has one spelling
_OPAQUE = re.compile(rf"{_WORD}{{8,64}}")
_CODES: Any = {jwt.ExpiredSignatureError: "token_expired", jwt.InvalidIssuerError: "issuer_invalid"}


class Refused(Exception):
    """The token is invalid: answer 401. `code` is the error code, such as `token_revoked`."""

    code = property(str)


class FeedStale(Exception):
    """The feed has not been updated for too long: answer 503."""


@dataclass(frozen=True)
class _Known:
    """The state after one read of the feed. Immutable; each read replaces it."""

    rows: dict[Any, tuple[int, int]] = field(default_factory=dict)  # below which `ver`, until when
    since: int = 0
    etag: str = ""
    fresh: float = 0.0
    covered: tuple[int, int, int] = 0, 0, 0  # `max_life`, `not_before` and `pruned_until`


@dataclass(eq=False)
class Verifier:
    """Verifies the tokens of one issuer, in any thread. Start it after a fork, not before."""

    issuer: str
    _: KW_ONLY
    secrets: tuple[str, ...] = field(default=(), repr=False)  # for HS256; default: published keys
    audience: str | None = None
    url: str = ""  # Latchkey's URL, if it is not the issuer
    max_staleness: float = 60  # seconds without a valid feed until FeedStale
    accept_bypass: bool = False  # tokens of the development sign-in
    remembered: int = 4096  # verified tokens
    refetch_seconds: float = 60  # minimum interval of refreshes for unknown keys

    def __post_init__(self) -> None:
        if any(len(secret.encode()) < 32 for secret in self.secrets):
            raise ValueError("a secret has at least 32 bytes")
        url = urlsplit(self.url or self.issuer)
        kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
        self._latchkey = kind(url.netloc, timeout=2)
        feed = [_feed_key(secret) for secret in self.secrets]
        self._keys: dict[Any, Any] = {(None, "HS256"): self.secrets}  # by name and algorithm
        self._feed_keys: dict[Any, Any] = {(None, "HS256"): feed}
        self._keys_fetched, self._keys_last = 0.0, 0.0
        self._remember = functools.lru_cache(self.remembered)(self._check)
        self._known = _Known()
        self._unfinished: Any = None  # a read whose last request failed
        self.stopped, self.fault = threading.Event(), Exception("not started")

    def start(self) -> "Verifier":
        """Fetch keys and feed, then poll twice a second in a thread until `stopped` is set."""
        self._poll()
        threading.Thread(target=self._follow, daemon=True).start()
        return self

    def verify(self, token: str) -> dict[str, Any]:
        """Return its claims. If `stale_roles`, roles or name changed: call `/auth/me` for them.

        Then `roles` is empty and `username` is None: another user may have the old name.
        """
        claims, known, now = self._remember(token), self._known, time.time()
        max_life, not_before, pruned_until = known.covered
        if claims["exp"] <= max(now, pruned_until):
            raise Refused("token_expired")
        is_long = claims["exp"] - claims["iat"] > max_life
        is_new = claims["iat"] > known.fresh - 5  # its lifetime may be newer than the feed
        if abs(now - known.fresh) > self.max_staleness or (is_long and is_new):
            raise FeedStale from self.fault
        if is_long:
            raise Refused("token_invalid")
        if claims.get("auth_time", claims["iat"]) < not_before:
            raise Refused("token_revoked")
        who = {"session": claims["sid"], "revoked": claims["id"], "changed": claims["id"]}
        below = {row[0]: claims["ver"] < known.rows.get(row, (0, 0))[0] for row in who.items()}
        if below["session"] or below["revoked"]:
            raise Refused("token_revoked")
        if below["changed"]:
            return {**claims, "username": None, "roles": [], "stale_roles": True}
        return {**claims, "roles": [*claims["roles"]], "stale_roles": False}

    def _check(self, token: str) -> dict[str, Any]:
        is_text = isinstance(token, str) and len(token) <= _MAX_BYTES
        if not is_text or not _COMPACT.fullmatch(token):
            raise Refused("token_invalid")
        try:
            claims = self._open(self._keys, token, "JWT", "exp", "iat", "sub", "sid", "ver")
        except (jwt.PyJWTError, ValueError, RecursionError) as error:
            raise Refused(_CODES.get(type(error), "token_invalid")) from error
        if claims.get("aud") != self.audience:
            raise Refused("audience_invalid")
        if not _are_claims(claims) or claims["iat"] > time.time() + 5:
            raise Refused("token_invalid")
        if "bypass" in claims["amr"] and not self.accept_bypass:
            raise Refused("token_invalid")
        return claims

    def _open(self, keys: Any, token: str, typ: str, *required: str) -> dict[str, Any]:
        header = jwt.get_unverified_header(token)
        if header.get("alg") not in (["HS256"] if self.secrets else ["EdDSA", "ES256", "RS256"]):
            raise Refused("algorithm_invalid")
        if not header.keys() <= {"alg", "kid", "typ"} or header.get("typ") != typ:
            raise Refused("token_invalid")
        options: Any = {"verify_aud": False, "verify_iat": False, "require": required}
        for key in keys.get((header.get("kid"), header["alg"]), ()):
            with contextlib.suppress(jwt.InvalidSignatureError):
                return jwt.decode(token, key, [header["alg"]], options, issuer=self.issuer)
        self._keys_last = min(self._keys_last, self.refetch_seconds if typ == "JWT" else 0)
        raise Refused("token_invalid")  # or a new key: fetch it, for the feed at once

    def _follow(self) -> None:
        while not self.stopped.wait(0.5):
            self._poll()
        self._latchkey.close()

    def _poll(self) -> None:
        try:
            if not self.secrets and time.monotonic() - self._keys_fetched >= self._keys_last:
                self._keys = self._key_set("/.well-known/jwks.json")
                self._remember = functools.lru_cache(self.remembered)(self._check)
                self._feed_keys = self._key_set("/.well-known/feed-jwks.json")
                self._keys_fetched, self._keys_last = time.monotonic(), 600
            self._read_feed()
        except Exception as error:  # noqa: BLE001  # the state becomes stale
            self.fault = error
            self._latchkey.close()

    def _key_set(self, path: str) -> dict[Any, Any]:
        keys = jwt.PyJWKSet.from_json(self._get(path)[1]).keys
        return {(str(key.key_id), key.algorithm_name): [key] for key in keys}

    def _read_feed(self) -> None:
        known, began, age, more = self._known, time.time(), 0.0, True
        begin = known.rows, known.since, known.etag, known.covered, 0
        rows, since, etag, covered, over = self._unfinished or begin
        # `over`: a row that ends until then is forgotten: by Latchkey's clock, ours may be fast
        while more:
            self._unfinished = rows, since, etag, covered, over
            etag, body = self._get(f"/auth/revocations?since={since}", etag)
            self._unfinished = None
            if not body:
                break
            said = self._open(self._feed_keys, body, f"{_FEED}+jwt", "exp", "iat", "aud")
            if said["aud"] != _FEED:
                raise ValueError("not a document of the feed")
            is_answer = said["since"] in (0, since) and said["next"] >= said["since"] + said["more"]
            kinds = {row[1] for row in said["changes"]} - {"session", "revoked", "changed"}
            if kinds or not is_answer or abs(time.time() - said["iat"]) > 60:
                raise ValueError("an old or unknown document, or the answer to another question")
            if since and said.get("not_before", 0) > covered[1]:  # a restore: old numbers, new rows
                rows, since, etag = {}, 0, ""
                continue
            if said["since"] != since:
                rows = {}  # the database was replaced
            elif rows is known.rows:
                rows = {**rows}
            for _, kind, who, *version, until in said["changes"]:
                row = (*version, 2**62)[0], until  # the end of a session is that of every version
                rows[kind, who] = max(row, rows.get((kind, who), row))
            since, more, age = said["next"], said["more"], said["age"]
            over = said.get("pruned_until", began)
            moments = said.get("not_before", 0), said.get("pruned_until", 0)
            covered = said["max_life"], *map(max, covered[1:], moments)  # none is taken back
        if rows is not known.rows:
            rows = {who: row for who, row in rows.items() if row[1] > over}
        self._known = _Known(rows, since, etag, began - age, covered)

    def _get(self, path: str, etag: str = "") -> tuple[str, str]:
        self._latchkey.request("GET", path, headers={"If-None-Match": etag} if etag else {})
        answer = self._latchkey.getresponse()
        body = answer.read().decode()
        if answer.status != (200 if body else 304) or not (body or etag):
            raise ValueError(f"{path} is answered with {answer.status}")
        return answer.headers["ETag"] or "", body


def _are_claims(claims: dict[str, Any]) -> bool:
    """Return whether claims are as Latchkey writes them. Revocations do not cover others."""
    get, iat, ver = claims.get, claims["iat"], claims["ver"]
    began, roles, amr = get("auth_time", iat), get("roles"), get("amr")
    numbers = iat, claims["exp"], ver, began, get("nbf", 0), get("id")
    return (
        all(type(each) is int and each >= 0 for each in numbers)
        and claims["id"] > 0
        and claims["sub"] == str(claims["id"])
        and 0 < ver < 2**62
        and began <= iat + 11
        and all(
            isinstance(each, str) and _OPAQUE.fullmatch(each)
            for each in (claims["sid"], get("jti"))
        )
        and isinstance(get("username"), str)
        and isinstance(roles, list)
        and all(isinstance(role, dict) and isinstance(role.get("role"), str) for role in roles)
        and isinstance(amr, list)
        and len(amr) > 0
        and all(isinstance(word, str) for word in amr)
    )


def _feed_key(secret: str) -> bytes:
    """Return the key of the feed (HKDF-SHA-256). It differs from the key of sessions."""
    extracted = hmac.digest(bytes(32), secret.encode(), "sha256")
    return hmac.digest(extracted, b"latchkey feed\x01", "sha256")
