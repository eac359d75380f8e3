"""The records of token lifetimes: one row for each lifetime, with the horizon of its tokens.

The invariant: no token is issued that expires after the horizon in the database, and no revocation
is pruned before the horizon at the time when it was written. Times are in seconds since 1970.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from service.db import Reader, Transaction
from service.system.clock_check import TOLERANCE

LEAD = 3600
"""How far the horizon is beyond the expiry of a token that is issued now."""

MARGIN = 3600
"""How long a revocation is kept beyond the horizon."""

AHEAD = 1 + int(TOLERANCE)
"""How far ahead `not_before` is: a server with a fast clock may have issued such tokens."""

DATED_AHEAD = AHEAD + int(TOLERANCE)
"""How far ahead a server may date a sign-in, as its own clock may be slow."""

_LATEST = DATED_AHEAD + int(TOLERANCE) + 1  # later than any server's clock dates a sign-in
_MISTAKEN = _LATEST + 60  # a later `not_before` is from a wrong clock
_OLDER_VERSIONS = 86400  # how long an older version, which records nothing, may still run
_HALF = MARGIN // 2  # also covers tokens that were issued during the revocation
_IS_DEAD = f"until <= ? - {MARGIN}"
_LONGEST = 365 * 86400  # without records no token was issued; this is a safety margin


@dataclass(frozen=True, slots=True)
class State:
    """The revocation state besides the rows of the feed.

    `horizons` has the horizon of each lifetime. `noted_at` has the clock of the process that wrote
    it last. `disputes` counts how often a process found a difference between clocks.
    """

    horizons: dict[int, int] = field(default_factory=dict)
    noted_at: dict[int, int] = field(default_factory=dict)
    pruned_until: int = 0
    not_before: int = 0
    disputes: int = 0
    max_life: int = field(init=False, default=0)
    """The longest token lifetime that revocations cover, in seconds. Read for each request."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "max_life", max(self.horizons, default=0))

    @classmethod
    def of(cls, lives: Sequence[tuple[Any, ...]], moments: Sequence[tuple[Any, ...]]) -> "State":
        """Return the state of rows: `seconds, noted_at, until` per lifetime, and the moments."""
        horizons = {seconds: until or 0 for seconds, _, until in lives}
        noted_at = {seconds: at for seconds, at, _ in lives if at}
        return cls(horizons, noted_at, *(moments[0] if moments else ()))

    def after(self, known: "State") -> "State":
        """Return this state merged with `known`, which a restored backup may have lost."""
        return replace(
            self,
            pruned_until=max(self.pruned_until, known.pruned_until),
            not_before=max(self.not_before, known.not_before),
        )

    def is_dead(self, until: int) -> bool:
        """Return whether rows that end at `until` have been pruned."""
        return until <= self.pruned_until + _HALF


async def note(tx: Transaction, seconds: int, now: int) -> int:
    """Record that tokens with a lifetime of `seconds` are issued. Return their horizon.

    `now` is the clock of the process; the later of it and the database's clock counts. A horizon
    never moves back. Rows of older versions get an end: such a process may run for one more day.
    """
    latest = max(now, await database_clock(tx) or now)
    await tx.execute(
        "UPDATE token_lifetimes SET until = ? + seconds WHERE until IS NULL",
        (latest + _OLDER_VERSIONS,),
    )
    await tx.execute(
        "INSERT INTO token_lifetimes (seconds, until, noted_at) VALUES (?, ?, ?)"
        " ON CONFLICT (seconds) DO UPDATE SET noted_at = excluded.noted_at, until = CASE"
        " WHEN token_lifetimes.until > excluded.until THEN token_lifetimes.until"
        " ELSE excluded.until END",
        (seconds, latest + seconds + LEAD, now),
    )
    row = await tx.fetch_one("SELECT until FROM token_lifetimes WHERE seconds = ?", (seconds,))
    assert row is not None  # noqa: S101  # just written
    return int(row["until"])


HORIZON = "coalesce((SELECT max(coalesce(until, ? + seconds)) FROM token_lifetimes), ?)"
"""An expression: the time after which no token expires that was issued until now."""


def horizon_parameters(now: int) -> tuple[int, int]:
    """Return the parameters of HORIZON."""
    return now + _OLDER_VERSIONS, now + _LONGEST


async def state(db: Reader) -> State:
    """Return the records only. `pages.read` reads them with the rows of the same moment."""
    lives = await db.fetch_all("SELECT seconds, noted_at, until FROM token_lifetimes")
    moments = await db.fetch_all("SELECT pruned_until, not_before, disputes FROM revocation_state")
    return State.of(
        [tuple(row.values()) for row in lives], [tuple(row.values()) for row in moments]
    )


async def end_all(tx: Transaction, now: int) -> None:
    """Refuse the tokens of all sessions that started until `now`, by the clock of any server.

    `not_before` is slightly ahead of `now`, and servers date new sign-ins by it, so it increases
    each time. A value that is far ahead is from a wrong clock and is moved back, but not before the
    start of a session that may exist.
    """
    before = (await state(tx)).not_before
    moment = max(now + AHEAD, min(before + 1, now + _LATEST))
    if before <= now + _MISTAKEN:
        moment = max(moment, before)
    await tx.execute(
        "INSERT INTO revocation_state (id, pruned_until, not_before) VALUES (1, 0, ?)"
        " ON CONFLICT (id) DO UPDATE SET not_before = excluded.not_before",
        (moment,),
    )


async def dispute(tx: Transaction) -> None:
    """Tell all processes that two clocks differ, as one record may overwrite the other."""
    await tx.execute(
        "INSERT INTO revocation_state (id, pruned_until, not_before, disputes) VALUES (1, 0, 0, 1)"
        " ON CONFLICT (id) DO UPDATE SET disputes = revocation_state.disputes + 1"
    )


async def has_dead(db: Reader, now: int) -> bool:
    """Return whether there are lifetimes to prune."""
    row = await db.fetch_one(f"SELECT 1 FROM token_lifetimes WHERE {_IS_DEAD} LIMIT 1", (now,))  # noqa: S608  # a constant
    return row is not None


async def prune(tx: Transaction, now: int) -> int:
    """Delete the lifetimes whose tokens expired a margin before `now`. Return their number."""
    count = await tx.execute(f"DELETE FROM token_lifetimes WHERE {_IS_DEAD}", (now,))  # noqa: S608  # a constant
    if count:
        await pruned(tx, now)
    return count


async def pruned(tx: Transaction, now: int) -> None:
    """Record that revocations and lifetimes up to `now` are pruned: their tokens have expired."""
    await tx.execute(
        "INSERT INTO revocation_state (id, pruned_until, not_before) VALUES (1, ?, 0)"
        " ON CONFLICT (id) DO UPDATE SET pruned_until = CASE"
        " WHEN revocation_state.pruned_until > excluded.pruned_until"
        " THEN revocation_state.pruned_until ELSE excluded.pruned_until END",
        (now - _HALF,),
    )


async def database_clock(db: Reader) -> int | None:
    """Return the clock of the database server; None for SQLite, which has no other clock.

    Raises DatabaseUnavailable.
    """
    if db.kind == "sqlite":
        return None
    row = await db.fetch_one("SELECT floor(extract(epoch FROM clock_timestamp()))::bigint AS now")
    return int(row["now"]) if row else None
