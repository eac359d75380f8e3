"""Verifies Latchkey's tokens without asking it each time, and refuses those taken back."""

import contextlib
import http.client
import math
import threading
import time
from dataclasses import KW_ONLY, dataclass, field
from typing import Any
from urllib.parse import urlsplit

import jwt

Claims = dict[str, Any]
_FEED, _POLL, _TIMEOUT, _KEYS_LAST, _SKEW, _LARGEST = (
    "latchkey-revocations+jwt",
    0.5,
    2,
    600,
    60,
    1 << 25,
)
_TYPES = {
    "id": int,
    "username": str,
    "roles": list,
    "exp": int,
    "iat": int,
    "sid": str,
    "ver": int,
    "amr": list,
}
_CODES: dict[type[Exception], str] = {
    jwt.ExpiredSignatureError: "token_expired",
    jwt.InvalidIssuerError: "issuer_invalid",
    jwt.InvalidAlgorithmError: "algorithm_invalid",
}
_UNREADABLE = (jwt.PyJWTError, http.client.HTTPException, OSError, ValueError, RecursionError)


class Refused(Exception):
    """The token is not good: a 401. `code` is Latchkey's word for why, as `token_revoked`."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class FeedStale(Exception):
    """For too long nobody has said what was taken back: a 503."""


@dataclass(eq=False)
class Verifier:
    """Verifies the tokens of one issuer, in any thread. Start it after a fork, not before."""

    issuer: str
    _: KW_ONLY
    secrets: tuple[str, ...] = field(default=(), repr=False)  # of HS256; without: published keys
    audience: str | None = None
    url: str = ""  # where Latchkey is reached, if not at the issuer's address
    max_staleness: float = 60  # seconds without a good answer of the feed until FeedStale
    accept_bypass: bool = False  # tokens of the development sign-in
    remembered: int = 4096  # verified tokens
    refetch_seconds: float = 60  # an unknown key is looked for once in that time

    def __post_init__(self) -> None:
        if any(len(secret.encode()) < 32 for secret in self.secrets):
            raise ValueError("a secret has at least 32 bytes")
        self._keys: dict[tuple[str, str], jwt.PyJWK] = {}  # by kid and algorithm
        self._key_set, self._fetched = b"", dict[str, float]()
        self._verified: dict[str, Claims] = {}
        # By sid, or by kind and user: below which `ver`, and until when.
        self._rows: dict[Any, tuple[float, int]] = {}
        self._next, self._etag, self._signed = 0, "", -math.inf
        self._fresh = (-math.inf, -math.inf)  # on the wall's clock, and on the stopwatch
        self._storing, self._fetching = threading.Lock(), threading.Lock()
        self._stopped = threading.Event()
        self.fault: Exception | None = None  # of the last poll

    @property
    def age(self) -> float:
        """How old our knowledge of the feed is, in seconds, sleep of the machine included."""
        return max(time.time() - self._fresh[0], time.monotonic() - self._fresh[1])

    @property
    def sizes(self) -> dict[str, int]:
        """How many verified tokens and rows of the feed are in memory."""
        return {"tokens": len(self._verified), "rows": len(self._rows)}

    def start(self) -> "Verifier":
        """Ask for keys and feed once, then go on in a thread."""
        feed = self._connect()
        self._poll(feed)
        threading.Thread(target=self._follow, args=(feed,), daemon=True).start()
        return self

    def stop(self) -> None:
        """End the thread."""
        self._stopped.set()

    def verify(self, token: str) -> Claims:
        """Return the claims of a good token, and `stale_roles`. Raises Refused, FeedStale.

        `stale_roles` says that name or roles have changed since. `roles` is empty then: whoever
        forgets to look denies. The fresh ones are at `/auth/me`.
        """
        verified = self._verified  # before the keys are looked at: new keys come with a new one
        claims = verified.get(token)
        if claims is None:
            claims = self._check(token)
            with self._storing:
                verified[token] = claims
                while len(verified) > self.remembered:
                    del verified[next(iter(verified))]
        if claims["exp"] <= time.time():
            raise Refused("token_expired")
        if self.age > self.max_staleness:
            raise FeedStale(f"the feed was last known {self.age:.0f} s ago: {self.fault!r}")
        if self._is_below(claims["sid"], claims) or self._is_below(
            ("revoked", claims["id"]), claims
        ):
            raise Refused("token_revoked")
        stale = self._is_below(("changed", claims["id"]), claims)
        return {**claims, "roles": [] if stale else [*claims["roles"]], "stale_roles": stale}

    def _is_below(self, key: object, claims: Claims) -> bool:
        return bool(claims["ver"] < self._rows.get(key, (0, 0))[0])

    def _check(self, token: str) -> Claims:
        claims = self._open(token, "JWT") if len(token) <= 3500 else {}
        if any(type(claims.get(name)) is not kind for name, kind in _TYPES.items()):
            raise Refused("token_invalid")
        if claims.get("aud") != self.audience:
            raise Refused("audience_invalid")
        if claims["iat"] > time.time() + 5 or (
            "bypass" in claims["amr"] and not self.accept_bypass
        ):
            raise Refused("token_invalid")
        return claims

    def _open(self, token: str, typ: str) -> Claims:
        """Return what a JWT of that type says, if a key of the issuer has signed it."""
        try:
            header = jwt.get_unverified_header(token)
            members, algorithms = {"alg", "typ", "kid"}, ["EdDSA", "ES256", "RS256"]
            if self.secrets:
                members, algorithms = {"alg", "typ"}, ["HS256"]
            if header.get("alg") not in algorithms:
                raise Refused("algorithm_invalid")
            if header.keys() != members or header["typ"] != typ:
                raise Refused("token_invalid")
            for key in self.secrets or self._named(header["kid"], header["alg"], typ):
                with contextlib.suppress(jwt.InvalidSignatureError):
                    options: Any = {
                        "verify_aud": False,
                        "verify_iat": False,
                        "require": ["iss", "iat"],
                    }
                    return jwt.decode(token, key, [header["alg"]], options, issuer=self.issuer)
        except _UNREADABLE as error:
            raise Refused(_CODES.get(type(error), "token_invalid")) from None
        raise Refused("token_invalid")

    def _named(self, kid: str, algorithm: str, asker: str) -> list[jwt.PyJWK]:
        if (kid, algorithm) not in self._keys:
            self._fetch_keys(asker, self.refetch_seconds)
        key = self._keys.get((kid, algorithm))
        return [] if key is None else [key]

    def _fetch_keys(self, asker: str, seconds: float) -> None:
        """Fetch the key set, once in so many seconds for each asker: a stranger's is his own."""
        with self._fetching:
            if time.monotonic() - self._fetched.get(asker, -math.inf) < seconds:
                return
            self._fetched[asker] = time.monotonic()
            with contextlib.closing(self._connect()) as connection:
                _, _, body = _get(connection, "/.well-known/jwks.json", {})
            if body != self._key_set:
                keys = jwt.PyJWKSet.from_json(body.decode()).keys
                self._keys = {(str(key.key_id), key.algorithm_name): key for key in keys}
                self._verified, self._key_set = {}, body

    def _connect(self) -> http.client.HTTPConnection:
        parts = urlsplit(self.url or self.issuer)
        secure = parts.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        return kind(parts.netloc, timeout=_TIMEOUT)

    def _follow(self, feed: http.client.HTTPConnection) -> None:
        while not self._stopped.wait(_POLL):
            self._poll(feed)
        feed.close()

    def _poll(self, feed: http.client.HTTPConnection) -> None:
        try:
            if not self.secrets:
                self._fetch_keys("clock", _KEYS_LAST if self._keys else 0)
            self._read(feed)
            self.fault = None
        except Exception as error:  # noqa: BLE001  # whatever it is, what we know grows old
            self.fault = error
            feed.close()

    def _read(self, feed: http.client.HTTPConnection) -> None:
        wall, ticks = time.time(), time.monotonic()
        rows, since, age, more = self._rows, self._next, 0, True
        while more:
            # A 304 is not signed: it counts for half the limit, then a document has to come.
            etag = self._etag if ticks - self._signed < self.max_staleness / 2 else ""
            headers = {"If-None-Match": etag} if etag else {}
            status, etag, body = _get(feed, f"/auth/revocations?since={since}", headers)
            if status == 304 and headers:
                break
            said = self._open(body.decode(), _FEED)
            if said["since"] not in (0, since) or said["next"] < said["since"] + said["more"]:
                raise ValueError("the feed goes back")
            if abs(time.time() - said["iat"]) > _SKEW:
                raise ValueError("the feed is an old one, or a clock is wrong")
            if said["since"] != since:  # another database: what we know is void, once all is here
                rows = {}
            _learn(rows, said["changes"])
            since, more, age = said["next"], said["more"], said["age"]
            self._etag, self._signed = etag, ticks
        if self._signed == ticks:
            self._next, self._rows = since, {key: row for key, row in rows.items() if row[1] > wall}
        self._fresh = wall - age, ticks - age


def _learn(rows: dict[Any, tuple[float, int]], changes: list[Any]) -> None:
    for _, kind, who, *version, until in changes:
        if (kind, len(version)) not in (("session", 0), ("revoked", 1), ("changed", 1)):
            raise ValueError(f"the feed has a row of an unknown kind: {kind}")
        key = (kind, who) if version else who
        below, last = rows.get(key, (0, 0))
        rows[key] = max(below, *version, 0 if version else math.inf), max(last, until)


def _get(
    connection: http.client.HTTPConnection, path: str, headers: dict[str, str]
) -> tuple[int, str, bytes]:
    connection.request("GET", path, headers=headers)
    response = connection.getresponse()
    if response.status not in (200, 304):
        raise ValueError(f"{path} is answered with {response.status}")
    return response.status, response.getheader("ETag", ""), response.read(_LARGEST)
