"""Which tokens were taken back: in memory, fed by the database.

Verifying costs two dictionary look-ups and no statement. Each process remembers the live rows of
the feed and looks for newer ones several times a second. Whoever asks in between is answered from
memory, unless that is over a second old: then it catches up first, and past
REVOCATION_MAX_STALENESS it fails shut.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from service import changes, errors, logouts, logs, provider_logouts, provider_sessions, users
from service.audit import Actor
from service.db import Database, Row, Version, reason
from service.freshness import FRESH_SECONDS, Freshness
from service.stopwatch import awake_or_asleep
from service.tokens import Claims

_T = TypeVar("_T")

POLL_SECONDS = 0.2
_ATTEMPT_SECONDS = 1.0
_PRUNE_SECONDS = 60.0
_PAGE = 10_000
_UNTIL_THE_FEED_SAYS = 60


@dataclass(slots=True)
class _User:
    """What the feed says of one user's tokens, by their `ver`; `until` as in the feed."""

    revoked_below: int = 0
    changed_below: int = 0
    until: int = 0
    fresh: asyncio.Future[users.User | None] | None = field(default=None, repr=False)


class Revocation:
    """The memory of one process. `clock` says seconds since 1970, `ticks` those of a stopwatch."""

    def __init__(
        self,
        database: Database,
        *,
        max_staleness: int,
        clock: Callable[[], float] = time.time,
        ticks: Callable[[], float] = awake_or_asleep,
    ) -> None:
        self._database = database
        self._max_staleness = max_staleness
        self._clock = clock
        self._freshness = Freshness(ticks)
        self._sessions: dict[str, int] = {}
        self._users: dict[int, _User] = {}
        self._seq = 0
        self._version: Version | None = None
        self._pruned_at = ticks()
        self._attempt: asyncio.Task[None] | None = None

    @property
    def age(self) -> float:
        """How long ago the feed was last known to be complete, in seconds."""
        return self._freshness.age

    @property
    def seq(self) -> int:
        """The `seq` of the newest row that is known here."""
        return self._seq

    def __len__(self) -> int:
        """How many sessions and users are remembered."""
        return len(self._sessions) + len(self._users)

    async def admit(self, claims: Claims) -> Claims:
        """Return the claims of a verified token as they are now: with the fresh name and roles.

        Raises TokenRevoked, FeedStale, and DatabaseUnavailable if a changed user cannot be read.
        """
        if self._freshness.age > FRESH_SECONDS:
            await self._ask_again()
        if claims["sid"] in self._sessions:
            raise errors.TokenRevoked
        user = self._users.get(claims["id"])
        if user is None:
            return claims
        if claims["ver"] < user.revoked_below:
            raise errors.TokenRevoked
        if claims["ver"] < user.changed_below:
            return await self._freshened(claims, user)
        return claims

    async def catch_up(self) -> None:
        """Read what is new in the feed; join whoever is at it. Raises DatabaseUnavailable."""
        if self._attempt is None or self._attempt.done():
            self._attempt = asyncio.create_task(self._read())
        await asyncio.shield(self._attempt)

    async def catch_up_with_own(self) -> None:
        """Know at once what this process has just committed; without this, the next poll tells."""
        with contextlib.suppress(errors.DatabaseUnavailable):
            if self._attempt is not None and not self._attempt.done():
                await self.catch_up()  # it may have begun before the commit
            await self.catch_up()

    async def follow(self) -> None:
        """Catch up for ever, several times a second; a database that is gone is waited for."""
        gone = False
        while True:
            await self._database.changed(POLL_SECONDS)
            try:
                await self.catch_up()
                await self._prune()
            except errors.DatabaseUnavailable as error:
                if not gone:
                    logs.event(
                        "feed_lost", level=logs.WARNING, reason=reason(error.__cause__ or error)
                    )
                gone = True
            except Exception as error:  # noqa: BLE001  # whatever it is, the feed is followed on
                logs.unexpected(error)
            else:
                if gone:
                    logs.event("feed_found")
                gone = False

    async def sign_out_session(self, claims: Claims) -> None:
        """End the session of a token, for every process. Raises DatabaseUnavailable."""
        async with self._database.transaction() as tx:
            await changes.session_ended(tx, claims["sid"], claims["exp"])
            await provider_sessions.forget(tx, claims["sid"])
        self._end_session(claims["sid"], claims["exp"])

    async def sign_out_user(self, by: Actor, user_id: int) -> None:
        """End all sessions of a user, everywhere. Raises DatabaseUnavailable, RoleMissing."""
        async with self._database.transaction() as tx:
            version = await users.sign_out(tx, by, user_id)
        self._revoke_user(user_id, version, int(self._clock()) + _UNTIL_THE_FEED_SAYS)

    # What this process has committed counts at once here; the feed will bring it again.

    def _end_session(self, sid: str, until: int) -> None:
        self._sessions[sid] = until

    def _revoke_user(self, user_id: int, version: int, until: int) -> None:
        user = self._users.setdefault(user_id, _User())
        user.revoked_below = max(user.revoked_below, version)
        user.until = max(user.until, until)

    async def _ask_again(self) -> None:
        """Catch up before answering, once a second at most; then judge what is known by its age.

        Twice, because what is under way may have begun before this machine, or only this process,
        was asleep: then its answer is old, and its failure says nothing of the database.
        """
        for _ in range(2):
            is_under_way = self._attempt is not None and not self._attempt.done()
            if self._freshness.calls_for_asking(is_under_way=is_under_way):
                with contextlib.suppress(errors.DatabaseUnavailable):
                    await self.catch_up()
        if self.age > self._max_staleness:
            raise errors.FeedStale

    async def _read(self) -> None:
        """Read what is new, a page at a time: each has its deadline, and none is read twice."""
        began = self._freshness.asked()
        try:
            version, before = await _in_time(changes.version(self._database)), self._version
            if version != before:
                await self._read_rows(self._seq if _is_later(version, before) else 0)
        except errors.DatabaseUnavailable:
            self._freshness.failed()
            raise
        self._version = version
        self._freshness.answered(began)

    async def _read_rows(self, since: int) -> None:
        """Read what comes after `since`; all, of a server that may have lost its last rows."""
        feed = self._database.feed
        newest = await _in_time(changes.last_seq(feed))
        rows_read = _PAGE
        while rows_read == _PAGE:
            rows = await _in_time(changes.live(feed, int(self._clock()), since, _PAGE))
            for row in rows:
                self._apply(row)
                since = row["seq"]
            rows_read = len(rows)
            self._seq = max(self._seq, since)  # what is read is not read twice
        self._seq = max(since, newest)  # the same in every process, whatever was pruned

    def _apply(self, row: Row) -> None:
        if row["kind"] == "session":
            self._end_session(row["sid"], row["until"])
        elif row["kind"] == "revoked":
            self._revoke_user(row["user_id"], row["version"], row["until"])
        else:
            user = self._users.setdefault(row["user_id"], _User())
            if row["version"] > user.changed_below:
                user.changed_below = row["version"]
                user.fresh = None
            user.until = max(user.until, row["until"])

    async def _freshened(self, claims: Claims, user: _User) -> Claims:
        """Look the user up once, however many ask, and remember it until the next change."""
        if user.fresh is None:
            user.fresh = asyncio.ensure_future(users.by_id(self._database, claims["id"]))
        looking = user.fresh
        try:
            found = await asyncio.shield(looking)
        except errors.DatabaseUnavailable:
            if user.fresh is looking:
                user.fresh = None
            raise
        if found is None or found["disabled"]:
            raise errors.TokenRevoked
        return {
            **claims,
            "username": found["username"],
            "roles": found["roles"],
            "ver": found["version"],
        }

    async def _prune(self) -> None:
        """Forget what no live token can need, here and in the database."""
        if self._freshness.ticks() - self._pruned_at < _PRUNE_SECONDS:
            return
        self._pruned_at = self._freshness.ticks()
        now = int(self._clock())
        self._sessions = {sid: until for sid, until in self._sessions.items() if until > now}
        self._users = {key: user for key, user in self._users.items() if user.until > now}
        for table in (changes, provider_sessions, logouts, provider_logouts):
            if await table.has_dead(self._database, now):
                async with self._database.transaction() as tx:
                    await table.prune(tx, now)


def _is_later(version: Version, before: Version | None) -> bool:
    """Tell whether all that was known before is still so: no row was lost with a crash."""
    return before is not None and version.source == before.source and version.number > before.number


async def _in_time(asked: Awaitable[_T]) -> _T:
    try:
        async with asyncio.timeout(_ATTEMPT_SECONDS):
            return await asked
    except TimeoutError as error:
        raise errors.DatabaseUnavailable from error
