"""A cache of the 200 responses of /auth/verify."""

import asyncio

from aiohttp import web

from service import errors, users
from service.db import Database
from service.forward_auth import assertions, headers
from service.forward_auth.headers import NOTHING
from service.limits.byte_cache import Bounded
from service.tokens.claims import Claims
from service.tokens.issuer import TokenIssuer
from service.web.cached_response import CachedResponse

REMEMBERED_BYTES = 32 * 2**20
"""The memory for responses: 10,000 without an assertion, or 7,000 with one."""

_REUSED_SECONDS = 30
_VARY = "Cookie, Authorization"

_Key = tuple[int, int, str | None, int]


class AllowResponses:
    """The responses of one process, by a user's `id` and `ver` and the host of an application.

    Each change of a user changes `ver`, so an entry is never outdated. A restored database can
    reuse `id` and `ver`, so the feed's `not_before` is also part of the key.
    """

    def __init__(self, database: Database, tokens: TokenIssuer) -> None:
        self._database = database
        self._tokens = tokens
        self._known: Bounded[_Key, tuple[int, CachedResponse]] = Bounded(REMEMBERED_BYTES, _size)
        self._making: dict[_Key, asyncio.Task[CachedResponse]] = {}

    async def of(
        self, claims: Claims, host: str | None = None, *, not_before: int = 0
    ) -> CachedResponse:
        """Return the response for a caller with current claims.

        Includes an assertion for `host`, if given, that is valid for 30 to 60 s, even if the clock
        is set back. While the database is unavailable, omits the name and e-mail address, and reads
        them again for the next request.
        """
        key = claims["id"], claims["ver"], host, not_before
        known = self._known.get(key)
        if known is not None and (
            host is None or 0 <= self._tokens.now() - known[0] < _REUSED_SECONDS
        ):
            return known[1]
        making = self._making.get(key)
        if making is None:
            making = self._making[key] = asyncio.create_task(self._make(key, claims))
            making.add_done_callback(lambda _: self._making.pop(key))
        try:
            return await asyncio.shield(making)
        except errors.DatabaseUnavailable:
            return self._answer(claims, host, None)

    def forget(self) -> None:
        """Clear the cache, because the assertions were signed with the previous keys."""
        self._known = Bounded(REMEMBERED_BYTES, _size)

    async def _make(self, key: _Key, claims: Claims) -> CachedResponse:
        user_id, _, host, _ = key
        known = self._known  # `forget` replaces it, also for requests in progress
        made_at = self._tokens.now()
        answer = self._answer(claims, host, await users.find_by_id(self._database, user_id))
        known.put(key, (made_at, answer))
        return answer

    def _answer(self, claims: Claims, host: str | None, user: users.User | None) -> CachedResponse:
        name, email = (None, None) if user is None else (user["name"], user["email"])
        assertion = None if host is None else assertions.issue(self._tokens, claims, host)
        return CachedResponse(
            {
                **headers.of(claims, name, email),
                "X-Latchkey-Assertion": NOTHING if assertion is None else assertion,
                "Vary": _VARY,
            }
        )


ALLOW_RESPONSES = web.AppKey("allow_responses", AllowResponses)


def _size(key: _Key, known: tuple[int, CachedResponse]) -> int:
    """Return the maximum memory of a serialized response in bytes, as measured (decision 25)."""
    return 3072 + 2 * sum(map(len, known[1].headers.values())) + len(key[2] or "")
