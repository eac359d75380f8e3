"""The notes of how far tokens reach: one row for each lifetime, with the horizon of its tokens.

The invariant: no token is issued that expires after a horizon that the database already holds, and
no revocation is forgotten before the horizon that held when it was written. Times are seconds since
1970.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from service.db import Reader, Transaction
from service.system.clock_check import TOLERANCE

LEAD = 3600
"""How far a horizon lies beyond the end of a token that is issued now."""

MARGIN = 3600
"""How long a revocation is kept beyond the horizon."""

AHEAD = 1 + int(TOLERANCE)
"""How far ahead `not_before` lies: a server whose clock is fast has just issued such tokens."""

DATED_AHEAD = AHEAD + int(TOLERANCE)
"""How far ahead a server dates a sign-in at most: its own clock may be slow."""

_LATEST = DATED_AHEAD + int(TOLERANCE) + 1  # later than any server's clock dates a sign-in
_MISTAKEN = _LATEST + 60  # a later `not_before` was written by a wrong clock
_OLDER_VERSIONS = 86400  # how long a process of an older version may run on, which notes nothing
_HALF = MARGIN // 2  # tokens that were issued while a revocation was written are covered as well
_IS_DEAD = f"until <= ? - {MARGIN}"
_LONGEST = 365 * 86400  # where nothing is noted, nothing was issued: this is for good measure


@dataclass(frozen=True, slots=True)
class State:
    """What the database says besides the rows of the feed.

    `horizons` has the horizon of each lifetime, `noted_at` the clock of the process that wrote it
    last, `disputes` how often a process has found that its clock differs from another one's.
    """

    horizons: dict[int, int] = field(default_factory=dict)
    noted_at: dict[int, int] = field(default_factory=dict)
    pruned_until: int = 0
    not_before: int = 0
    disputes: int = 0
    max_life: int = field(init=False, default=0)
    """The longest life of a token that revocations cover, in seconds: asked for each request."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "max_life", max(self.horizons, default=0))

    @classmethod
    def of(cls, lives: Sequence[tuple[Any, ...]], moments: Sequence[tuple[Any, ...]]) -> "State":
        """Return what rows say: `seconds, noted_at, until` of each life, and the last three."""
        horizons = {seconds: until or 0 for seconds, _, until in lives}
        noted_at = {seconds: at for seconds, at, _ in lives if at}
        return cls(horizons, noted_at, *(moments[0] if moments else ()))

    def after(self, known: "State") -> "State":
        """Return this, with what is known from before and may be lost with a restored backup."""
        return replace(
            self,
            pruned_until=max(self.pruned_until, known.pruned_until),
            not_before=max(self.not_before, known.not_before),
        )

    def is_dead(self, until: int) -> bool:
        """Tell whether rows that end at `until` have been pruned, by the clock that pruned them."""
        return until <= self.pruned_until + _HALF


async def note(tx: Transaction, seconds: int, now: int) -> int:
    """Note that tokens with a life of `seconds` are issued; return the horizon for them.

    `now` is the clock of the process; the later of it and of the database's counts. A horizon only
    moves forward. A row of an older version's process gets its end: from now on such a process
    may run for one more day.
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
    """Read the notes alone; `changes.read` reads them with the rows of the same moment."""
    lives = await db.fetch_all("SELECT seconds, noted_at, until FROM token_lifetimes")
    moments = await db.fetch_all("SELECT pruned_until, not_before, disputes FROM revocation_state")
    return State.of(
        [tuple(row.values()) for row in lives], [tuple(row.values()) for row in moments]
    )


async def end_all(tx: Transaction, now: int) -> None:
    """Refuse the tokens of all sessions that have begun until `now`, by any server's clock.

    The moment lies ahead of `now`, and servers date new sign-ins by it. So it moves forward each
    time, until no session can be dated as late. Only one that lies far beyond that is a mistake,
    and moves back: not before a session that may have begun.
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
    """Tell all processes that two clocks differ: a note of one may replace that of the other."""
    await tx.execute(
        "INSERT INTO revocation_state (id, pruned_until, not_before, disputes) VALUES (1, 0, 0, 1)"
        " ON CONFLICT (id) DO UPDATE SET disputes = revocation_state.disputes + 1"
    )


async def has_dead(db: Reader, now: int) -> bool:
    """Tell whether there is anything to prune."""
    row = await db.fetch_one(f"SELECT 1 FROM token_lifetimes WHERE {_IS_DEAD} LIMIT 1", (now,))  # noqa: S608  # a constant
    return row is not None


async def prune(tx: Transaction, now: int) -> int:
    """Delete the lifetimes whose tokens expired a margin before `now`; return how many."""
    count = await tx.execute(f"DELETE FROM token_lifetimes WHERE {_IS_DEAD}", (now,))  # noqa: S608  # a constant
    if count:
        await pruned(tx, now)
    return count


async def pruned(tx: Transaction, now: int) -> None:
    """Note that tokens have expired whose revocations or lifetimes are deleted up to `now`."""
    await tx.execute(
        "INSERT INTO revocation_state (id, pruned_until, not_before) VALUES (1, ?, 0)"
        " ON CONFLICT (id) DO UPDATE SET pruned_until = CASE"
        " WHEN revocation_state.pruned_until > excluded.pruned_until"
        " THEN revocation_state.pruned_until ELSE excluded.pruned_until END",
        (now - _HALF,),
    )


async def database_clock(db: Reader) -> int | None:
    """Read the clock of the database's machine; None for SQLite, where it is that of the process.

    Raises DatabaseUnavailable.
    """
    if db.kind == "sqlite":
        return None
    row = await db.fetch_one("SELECT floor(extract(epoch FROM clock_timestamp()))::bigint AS now")
    return int(row["now"]) if row else None
