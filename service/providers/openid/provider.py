"""The client of one provider. Metadata and keys are fetched when needed and cached."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Generic, TypeVar

from service import errors
from service.config import OpenIdProvider
from service.providers.openid import id_token, jwks, jwt, logout_token, metadata, token_endpoint
from service.providers.openid.errors import (
    DocumentError,
    DocumentUnsupported,
    LoginRejected,
    ProviderError,
)
from service.providers.openid.jwks import KeySet
from service.providers.openid.logout_token import Logout
from service.providers.openid.metadata import Metadata

TTL = 3600
"""How long metadata and keys are cached, in seconds."""
MIN_REFRESH_INTERVAL = 60
"""The minimum interval of key refreshes for an unknown or changed key, in seconds."""

PAUSE = 2
"""The pause after a failed request, in seconds."""

_NEW_KEYS_MAY_HELP = frozenset({jwks.UNKNOWN, jwks.DAMAGED, jwks.AMBIGUOUS, jwt.BAD_SIGNATURE})

_BEARER = re.compile(r"[!-~]+")
"""An access token that a header can contain (RFC 6749 appendix A.12)."""

_T = TypeVar("_T")
Clock = Callable[[], float]


Send = Callable[[str, str, Mapping[str, str], str | None], Awaitable[tuple[int, bytes]]]
"""Sends a request (method, URL, headers, body) once and returns status and body."""


class RefreshingValue(Generic[_T]):
    """A value that is fetched when it is too old. Concurrent callers share a fetch.

    `ticks` is a monotonic clock in seconds.
    """

    def __init__(self, fetch: Callable[[], Awaitable[_T]], ticks: Clock) -> None:
        self._fetch = fetch
        self._ticks = ticks
        self._running: asyncio.Task[_T | Exception] | None = None
        self._value: _T | None = None
        self._failure: errors.ProviderUnavailable | DocumentError | None = None
        self._fetched_at = self._asked_at = float("-inf")

    async def get(self, max_age: float, *, pause: float = PAUSE) -> _T:
        """Return a value of at most `max_age` seconds. Raises ProviderUnavailable, DocumentError.

        For `pause` seconds after a failed fetch, fails without another fetch.
        """
        now = self._ticks()
        if self._value is not None and now - self._fetched_at < max_age:
            return self._value
        if self._running is None:
            if self._failure is not None and now - self._asked_at < pause:
                raise _again(self._failure)
            self._running = asyncio.create_task(self._renew())
        outcome = await asyncio.shield(self._running)
        if isinstance(outcome, Exception):
            raise _again(outcome)
        return outcome

    async def _renew(self) -> _T | Exception:
        self._asked_at = self._ticks()
        try:
            value = await self._fetch()
        except (errors.ProviderUnavailable, DocumentError) as error:
            self._failure = error
            return error
        finally:
            self._running = None
        self._value, self._failure, self._fetched_at = value, None, self._asked_at
        return value


def _checked(text: str, header: jwt.Header, keys: KeySet) -> dict[str, Any]:
    """Return the claims of a token that one of the keys signed. Raises ProviderError."""
    return jwt.verify(text, header, keys.find(header.kid, header.algorithm))


def _again(error: Exception) -> Exception:
    """Return a copy of an error, so that each waiting caller raises its own."""
    if isinstance(error, DocumentError):
        return type(error)(error.reason, limit=error.limit)
    unavailable = type(error)()
    unavailable.__cause__ = error.__cause__
    return unavailable


class OpenIdClient:
    """The client of one provider. Verifies all responses.

    The methods raise ProviderUnavailable and ProviderError.
    """

    def __init__(
        self,
        settings: OpenIdProvider,
        send: Send,
        clock: Clock = time.time,
        ticks: Clock = time.monotonic,
    ) -> None:
        self.settings = settings
        self._send = send
        self._clock = clock
        self._metadata = RefreshingValue(self._fetch_metadata, ticks)
        self._keys = RefreshingValue(self._fetch_keys, ticks)

    async def metadata(self) -> Metadata:
        """Return the provider's metadata."""
        return await self._metadata.get(TTL)

    async def redeem(
        self, code: str, verifier: str, redirect_uri: str
    ) -> token_endpoint.TokenResponse:
        """Exchange the code, once. Raises LoginRejected if the provider rejects it."""
        about, settings = await self.metadata(), self.settings
        request = token_endpoint.request(
            about,
            client_id=settings.client_id,
            client_secret=settings.client_secret,
            redirect_uri=redirect_uri,
            code=code,
            verifier=verifier,
        )
        answer = await self._ask(
            "token_answer", "POST", about.token_endpoint, request.headers, request.body
        )
        return token_endpoint.read(*answer)

    async def identify(self, tokens: token_endpoint.TokenResponse, nonce: str) -> dict[str, Any]:
        """Verify an ID token and return its claims. Raises LoginRejected."""
        claims, header = await self._verified(tokens.id_token, id_token.TYPES)
        expected = id_token.Expected(
            issuer=self.settings.issuer,
            client_id=self.settings.client_id,
            nonce=nonce,
            access_token=tokens.access_token,
            now=int(self._clock()),
        )
        id_token.check(claims, header, expected)
        return claims

    async def user_info(
        self, tokens: token_endpoint.TokenResponse, subject: str
    ) -> dict[str, Any] | None:
        """Return the UserInfo claims of a subject (Core section 5.3), None if there is no UserInfo.

        Raises LoginRejected if they belong to another subject.
        """
        address = (await self.metadata()).optional("userinfo_endpoint")
        if address is None or tokens.access_token is None:
            return None
        if not tokens.is_bearer:
            raise DocumentUnsupported("token_type")
        if not _BEARER.fullmatch(tokens.access_token):
            raise DocumentError("access_token")
        bearer = f"Bearer {tokens.access_token}"
        headers = {"Authorization": bearer, "Accept": "application/json"}
        status, body = await self._ask("user_info", "GET", address, headers)
        if status != 200:
            raise DocumentError(f"user_info_status_{status}")
        if jwt.is_jwt(body.decode("ascii", "replace").strip()):
            raise DocumentUnsupported("user_info_jwt")
        claims = metadata.read_object(body, "user_info")
        if claims.get("sub") != subject:
            raise LoginRejected("user_info_sub")
        return claims

    async def signed_out(self, text: str) -> Logout:
        """Verify a logout token and return its content. Raises LoginRejected."""
        claims, _ = await self._verified(text, logout_token.TYPES)
        settings = self.settings
        return logout_token.check(
            claims,
            issuer=settings.issuer,
            client_id=settings.client_id,
            now=int(self._clock()),
        )

    async def _verified(
        self, text: str, types: frozenset[str]
    ) -> tuple[dict[str, Any], jwt.Header]:
        header = jwt.read_header(text, (await self.metadata()).algorithms, types)
        keys = await self._keys.get(TTL)
        try:
            return _checked(text, header, keys), header
        except ProviderError as error:
            if error.reason not in _NEW_KEYS_MAY_HELP:
                raise
            newer = await self._keys.get(MIN_REFRESH_INTERVAL, pause=MIN_REFRESH_INTERVAL)
            if newer is keys:
                raise
        return _checked(text, header, newer), header

    async def _fetch_metadata(self) -> Metadata:
        settings = self.settings
        address = settings.discovery_url or settings.issuer.removesuffix("/") + metadata.PATH
        document = await self._document(address, "metadata")
        return metadata.read(document, settings.issuer, auth_method=settings.auth_method)

    async def _fetch_keys(self) -> KeySet:
        return KeySet(await self._document((await self.metadata()).jwks_uri, "jwks"))

    async def _document(self, address: str, reason: str) -> bytes:
        status, body = await self._ask(reason, "GET", address, {"Accept": "application/json"})
        if status != 200:
            raise DocumentError(f"{reason}_status_{status}")
        return body

    async def _ask(
        self,
        reason: str,
        method: str,
        address: str,
        headers: Mapping[str, str],
        body: str | None = None,
    ) -> tuple[int, bytes]:
        """Send a request. Raises ProviderUnavailable, and DocumentError for what cannot be read."""
        try:
            return await self._send(method, address, headers, body)
        except errors.ProviderAnswerTooLarge as problem:
            raise DocumentError(f"{reason}_too_large", limit=problem.limit) from None
        except errors.ProviderAnswerUnsupported:
            raise DocumentUnsupported(f"{reason}_unsupported") from None
        except errors.ProviderAnswerInvalid:
            raise DocumentError(f"{reason}_not_http") from None
