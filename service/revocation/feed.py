"""The revocation check: an in-memory copy of the feed in the database.

A check costs two dictionary look-ups and no statement. Each process keeps the rows of the feed in
memory and polls for new ones several times a second. If the memory is over a second old, a request
catches up first. After REVOCATION_MAX_STALENESS it fails closed. Rows are removed from memory only
when the database has pruned them, never by the clock of this process.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from service import errors
from service.db import ChangeMarker, Database, Row, reason
from service.revocation import events
from service.revocation.freshness import FRESH_SECONDS, Freshness
from service.revocation.memory import CurrentUser, Revoked, RevokedUser
from service.system.clock import boottime
from service.telemetry import logs
from service.tokens import lifetimes
from service.tokens.claims import Claims

_T = TypeVar("_T")

FindUser = Callable[[int], Awaitable[CurrentUser | None]]
"""Returns a user by `id`, or None."""

POLL_SECONDS = 0.2
_ATTEMPT_SECONDS = 1.0
_PAGE = 10_000


class Revocation:
    """The revocation memory of one process. `ticks` is a monotonic clock in seconds."""

    def __init__(
        self,
        database: Database,
        find_user: FindUser,
        *,
        max_staleness: int,
        ticks: Callable[[], float] = boottime,
    ) -> None:
        self._database = database
        self._find_user = find_user
        self._max_staleness = max_staleness
        self._freshness = Freshness(ticks)
        self._revoked = Revoked()
        self._seq = 0
        self._own_rows = self._covered_rows = 0  # committed here; those that `seq` covers
        self._version: ChangeMarker | None = None
        self.state = lifetimes.State()
        self._learned: int | None = None  # the `not_before` of the last complete read
        self._attempt: asyncio.Task[None] | None = None

    @property
    def age(self) -> float:
        """The age of the memory: seconds since it was known to be complete."""
        return self._freshness.age

    @property
    def seq(self) -> int:
        """The `seq` of the newest row in memory."""
        return self._seq

    @property
    def is_behind(self) -> bool:
        """Whether this process has committed rows that `seq` may not cover yet."""
        return self._covered_rows != self._own_rows

    def __len__(self) -> int:
        """Return the number of sessions and users in memory."""
        return len(self._revoked)

    async def check(self, claims: Claims) -> Claims:
        """Return the claims of a verified token with the current name and roles.

        Raises TokenRevoked, TokenExpired, FeedStale, TokenInvalid if the token's lifetime is longer
        than revocations are kept, and DatabaseUnavailable if a changed user or a lifetime cannot be
        read.
        """
        if self._freshness.age > FRESH_SECONDS:
            await self._ask_again()
        if claims["exp"] - claims["iat"] > self.state.max_life:
            await self._require_covered(claims)
        changed = self._revoked.require_good(claims, self.state)
        if changed is None:
            return claims
        fresh = await self._with_current_user(claims, changed)
        self._revoked.require_good(claims, self.state)  # it may have changed during the lookup
        return fresh

    async def catch_up(self) -> None:
        """Read new rows of the feed. Concurrent calls share a read. Raises DatabaseUnavailable."""
        if self._attempt is None or self._attempt.done():
            self._attempt = asyncio.create_task(self._read())
        await asyncio.shield(self._attempt)

    async def catch_up_from_now(self) -> None:
        """Read new rows with an attempt that starts now. Raises DatabaseUnavailable."""
        if self._attempt is not None and not self._attempt.done():
            await self.catch_up()
        await self.catch_up()

    def apply_own(self, rows: Iterable[Row]) -> None:
        """Apply the `events` of a transaction that this process has committed.

        They are read again with the rows of other processes, in their order, which changes nothing:
        `seq` does not move here.
        """
        for row in rows:
            self._revoked.apply_own(row)
            self._own_rows += 1

    async def follow(self) -> None:
        """Catch up several times a second until cancelled. Retry if the database is unavailable."""
        gone = False
        while True:
            await self._database.changed(POLL_SECONDS)
            try:
                await self.catch_up()
            except errors.DatabaseUnavailable as error:
                if not gone:
                    logs.event(
                        "feed_lost", level=logs.WARNING, reason=reason(error.__cause__ or error)
                    )
                gone = True
            except Exception as error:  # noqa: BLE001  # the follower must continue
                logs.unexpected(error)
            else:
                if gone:
                    logs.event("feed_found")
                gone = False

    async def close(self) -> None:
        """Cancel a read that is still in progress, before the database is closed."""
        if self._attempt is not None:
            self._attempt.cancel()
            await asyncio.wait([self._attempt])

    async def _require_covered(self, claims: Claims) -> None:
        """Reject a token whose lifetime is longer than revocations are kept.

        The lifetime may be new: another process records it before it issues tokens, so a read that
        starts now finds it. Raises TokenInvalid, DatabaseUnavailable.
        """
        await self.catch_up_from_now()
        if claims["exp"] - claims["iat"] > self.state.max_life:
            raise errors.TokenInvalid

    async def _ask_again(self) -> None:
        """Catch up before an answer, at most once a second. Then check the age of the memory.

        Tries twice, because a read in progress may have started before the machine or the process
        was suspended. Its result is old, and its failure says nothing about the database.
        """
        for _ in range(2):
            is_under_way = self._attempt is not None and not self._attempt.done()
            if self._freshness.should_refresh(is_under_way=is_under_way):
                with contextlib.suppress(errors.DatabaseUnavailable):
                    await self.catch_up()
        if self.age > self._max_staleness:
            raise self._freshness.stale()

    async def _read(self) -> None:
        """Read new rows in pages. Each page has its own time limit and is read once."""
        began = self._freshness.asked()
        own_rows = self._own_rows  # those committed from now on may be later than what is read
        try:
            version, before = await _in_time(events.version(self._database)), self._version
            if version != before:
                await self._read_pages(self._seq if version.is_later_than(before) else 0)
        except errors.DatabaseUnavailable as error:
            self._freshness.failed(error)
            raise
        self._version, self._covered_rows = version, own_rows
        self._freshness.answered(began)

    async def _read_pages(self, since: int) -> None:
        """Read the rows after `since`, or all rows if the database may have lost its last rows.

        If `not_before` increases, a backup may have been restored. Then all rows are read again and
        replace the users in memory, because a restored database reuses IDs of later users.
        """
        learned, known, anew, rows_read = self._learned, dict[int, int](), None, _PAGE
        while rows_read == _PAGE:
            page = await _in_time(events.read(self._database.feed, since, _PAGE))
            self._heed(page.state)
            for row in page.rows:
                (self._revoked if anew is None or row["kind"] == "session" else anew).apply(row)
            if learned is None:
                learned = self._learned = self.state.not_before
            is_restored = learned != self.state.not_before
            if is_restored:
                learned, known, anew = self.state.not_before, self._revoked.versions(), Revoked()
            if is_restored or page.newest < since:
                since = 0
                continue
            rows_read, since = len(page.rows), page.rows[-1]["seq"] if page.rows else since
            if anew is None:
                self._seq = max(self._seq, since)  # do not read a page twice
        if anew is not None:
            self._revoked.learn_again(known, anew)
        self._seq, self._learned = page.newest, learned

    def _heed(self, recorded: lifetimes.State) -> None:
        """Update the state from the database, and remove what it has pruned.

        After a restore of a backup, the database has an older state. Ended sessions stay ended.
        """
        before, self.state = self.state, recorded.after(self.state)
        if self.state.pruned_until != before.pruned_until:
            self._revoked.forget(self.state)

    async def _with_current_user(self, claims: Claims, user: RevokedUser) -> Claims:
        """Return the claims with the current user, which is read once per change.

        `ver` is the newest version in memory, not in the database: with a newer `ver`, an exchanged
        token would survive a revocation that is not in memory yet.
        """
        version = user.changed_below
        if user.fresh is None:
            user.fresh = asyncio.ensure_future(self._find_user(claims["id"]))
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
            "ver": min(version, found["version"]),
        }


async def _in_time(asked: Awaitable[_T]) -> _T:
    try:
        async with asyncio.timeout(_ATTEMPT_SECONDS):
            return await asked
    except TimeoutError as error:
        raise errors.DatabaseUnavailable from error
