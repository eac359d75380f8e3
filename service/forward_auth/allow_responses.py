"""The answers that let callers pass a proxy: made once, and given for as long as they are true."""

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
"""How much memory answers may take: 10,000 of them without an assertion, 7,000 with one."""

_REUSED_SECONDS = 30
_VARY = "Cookie, Authorization"

_Key = tuple[int, int, str | None, int]


class AllowResponses:
    """The memory of one process, by a user's `id` and `ver`, and the host of an application.

    Another `ver` is another reading of the user: what is kept never grows old. A restored database
    can give `id` and `ver` to another user, so the feed's `not_before` is a part of the key.
    """

    def __init__(self, database: Database, tokens: TokenIssuer) -> None:
        self._database = database
        self._tokens = tokens
        self._known: Bounded[_Key, tuple[int, CachedResponse]] = Bounded(REMEMBERED_BYTES, _size)
        self._making: dict[_Key, asyncio.Task[CachedResponse]] = {}

    async def of(
        self, claims: Claims, host: str | None = None, *, not_before: int = 0
    ) -> CachedResponse:
        """Return the answer for a caller whose claims are the present ones.

        With an assertion for `host`, if there is one; it has half a minute left at the least, and a
        minute at the most, even if the clock is set back. While the database does not answer, name
        and e-mail address are left out, and asked for again.
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
        """Make every answer anew: other keys sign, and the assertions are of those from before."""
        self._known = Bounded(REMEMBERED_BYTES, _size)

    async def _make(self, key: _Key, claims: Claims) -> CachedResponse:
        user_id, _, host, _ = key
        known = self._known  # not a later one: that forgets what is under way as well
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
    """Return how many bytes an answer takes at most, once it is written; measured (decision 25)."""
    return 3072 + 2 * sum(map(len, known[1].headers.values())) + len(key[2] or "")
