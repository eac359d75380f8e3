"""Regular tasks of a process: record token lifetimes and prune expired rows."""

import asyncio
import contextlib
import time
from collections.abc import Callable

from service import errors
from service.credentials import attempt_limits, challenges, links, totp
from service.db import Database
from service.providers import recent_logouts, sessions, used_logout_tokens
from service.revocation import events
from service.revocation.feed import Revocation
from service.revocation.freshness import FRESH_SECONDS
from service.system.clock import boottime
from service.system.clock_check import Clocks
from service.telemetry import logs
from service.tokens import lifetimes
from service.tokens.issuer import TokenIssuer

_INTERVAL = 0.2
_MINUTE = 60.0
_HALF = lifetimes.LEAD / 2
_PRUNED = (
    events,
    lifetimes,
    sessions,
    recent_logouts,
    used_logout_tokens,
    attempt_limits,
    totp,
    links,
    challenges,
)


class Housekeeping:
    """Keeps `tokens.horizon` later than the expiry of all tokens that this process issues.

    `clock` returns seconds since 1970, `ticks` is a monotonic clock in seconds.
    """

    def __init__(
        self,
        database: Database,
        feed: Revocation,
        tokens: TokenIssuer,
        *,
        clock: Callable[[], float] = time.time,
        ticks: Callable[[], float] = boottime,
    ) -> None:
        self._database = database
        self._feed = feed
        self._tokens = tokens
        self._clock = clock
        self._ticks = ticks
        self._clocks = Clocks(clock, ticks)
        self._noted_at: dict[int, int] = {}
        self._disputes = 0
        self._is_disputed = False
        self._noted = self._minute = self._looked = ticks()

    async def start(self) -> None:
        """Record the lifetime and read the feed before the first request.

        Raises DatabaseUnavailable.
        """
        before = await lifetimes.state(self._database)
        for noted_at in before.noted_at.values():  # only a record ahead of us is a conflict
            self._clocks.agrees("process", max(noted_at, self._clock()))
        self._noted_at, self._disputes = before.noted_at, before.disputes
        await self._note()
        await self._feed.catch_up()
        self._follow_feed()
        await self._compare_with_database()

    async def run(self) -> None:
        """Run due tasks several times a second until cancelled."""
        while True:
            await asyncio.sleep(_INTERVAL)
            try:
                await self.tend()
            except errors.DatabaseUnavailable:
                continue  # the follower of the feed logs the error
            except Exception as error:  # noqa: BLE001  # the horizon must be kept up to date
                logs.unexpected(error)

    async def tend(self) -> None:
        """Run the tasks that are due. Raises DatabaseUnavailable."""
        self._clocks.check()
        self._compare_with_notes()
        self._follow_feed()
        if self._must_note():
            await self._note()
        if self._ticks() - self._minute >= _MINUTE:
            self._minute = self._ticks()
            now = await self._compare_with_database()
            if self._clocks.is_reliable:
                await self.prune(now)

    async def prune(self, now: int) -> None:
        """Delete the rows that no token needs after `now`. Raises DatabaseUnavailable."""
        for table in _PRUNED:
            if await table.has_dead(self._database, now):
                async with self._database.transaction() as tx:
                    await table.prune(tx, now)

    def _follow_feed(self) -> None:
        """Pass the state of the database to the issuer: horizon and earliest session start."""
        state, tokens = self._feed.state, self._tokens
        tokens.horizon = state.horizons.get(tokens.lifetime, 0)
        tokens.not_before = state.not_before

    async def _note(self) -> None:
        seconds, now = self._tokens.lifetime, int(self._clock())
        try:
            async with self._database.transaction() as tx:
                await lifetimes.note(tx, seconds, now)
                if self._is_disputed:
                    await lifetimes.dispute(tx)
        except errors.DatabaseUnavailable as error:
            self._tokens.is_horizon_stuck = isinstance(error, errors.DatabaseFailed)
            raise
        self._tokens.is_horizon_stuck = False
        self._noted_at[seconds] = now
        self._noted, self._is_disputed = self._ticks(), False
        with contextlib.suppress(errors.DatabaseUnavailable):  # the next poll finds the note
            await self._feed.catch_up_from_now()
        self._follow_feed()

    def _must_note(self) -> bool:
        """Return whether the horizon is near, or this process must record its clock again."""
        rest = self._tokens.horizon - self._clock() - self._tokens.lifetime
        quiet_for = self._ticks() - self._noted
        return rest < _HALF or quiet_for >= (_MINUTE if self._is_disputed else _HALF)

    def _compare_with_notes(self) -> None:
        """Compare the clock with the processes that wrote a record since the last check."""
        state, now = self._feed.state, self._clock()
        since, is_fresh = self._ticks() - self._looked, self._feed.age <= FRESH_SECONDS
        for seconds, at in state.noted_at.items():
            if self._noted_at.get(seconds) != at:
                at_latest = at if at > now else min(now, at + since)
                if not self._clocks.agrees("process", at_latest):
                    self._is_disputed = True
        if state.disputes != self._disputes:
            self._clocks.doubt()
        self._noted_at, self._disputes = dict(state.noted_at), state.disputes
        if is_fresh:  # otherwise a record may be older than the last check
            self._looked = self._ticks()

    async def _compare_with_database(self) -> int:
        """Compare the clock with the database, and return the earlier time."""
        now = int(self._clock())
        other = await lifetimes.database_clock(self._database)
        if other is None:
            return now
        self._clocks.agrees("database", other)
        return min(now, other)
