"""Which provider session started which of our sessions, so that they end together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from service.db import Database, Transaction
from service.revocation import events
from service.tokens import lifetimes


@dataclass(frozen=True, slots=True)
class ProviderSession:
    """A session at a provider.

    `handle` identifies it in logouts (for a ticket its SHA-256), None if there is none. `hint` is
    the value for a sign-out at the provider, or ''.
    """

    provider: str
    subject: str
    handle: str | None = None
    hint: str = field(default="", repr=False)


async def record(tx: Transaction, session: ProviderSession, claims: Mapping[str, Any]) -> None:
    """Store that a provider session started the session of `claims`."""
    await tx.execute(
        "INSERT INTO provider_sessions (sid, provider, handle, subject, user_id, hint, until)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            claims["sid"],
            session.provider,
            session.handle,
            session.subject,
            claims["id"],
            session.hint,
            claims["exp"],
        ),
    )


async def for_session(db: Database, sid: str) -> ProviderSession | None:
    """Return the provider session of a session, or None."""
    row = await db.fetch_one(
        "SELECT provider, subject, handle, hint FROM provider_sessions WHERE sid = ?", (sid,)
    )
    return None if row is None else ProviderSession(**row)


async def exists(db: Database, provider: str, handle: str) -> bool:
    """Return whether a provider session has a session of ours. Does not use the writer."""
    row = await db.fetch_one(
        "SELECT 1 FROM provider_sessions WHERE provider = ? AND handle = ? LIMIT 1",
        (provider, handle),
    )
    return row is not None


async def existing(db: Database, provider: str, handles: Sequence[str]) -> set[str]:
    """Return the handles whose provider session has a session of ours."""
    rows = await db.fetch_all(
        "SELECT handle FROM provider_sessions WHERE provider = ?"  # noqa: S608  # placeholders
        f" AND handle IN ({', '.join('?' * len(handles))})",
        (provider, *handles),
    )
    return {row["handle"] for row in rows}


async def end(
    tx: Transaction, provider: str, *, handle: str | None = None, subject: str | None = None
) -> int:
    """End the sessions of a provider session, or of all sessions of a subject. Return their number.

    With both, both must match. But a session without a handle may be the one, so it ends if the
    subject matches.
    """
    if handle is None and subject is None:
        return 0
    conditions, parameters = ["provider = ?"], [provider]
    if handle is not None:
        conditions.append("handle = ?" if subject is None else "(handle = ? OR handle IS NULL)")
        parameters.append(handle)
    if subject is not None:
        conditions.append("subject = ?")
        parameters.append(subject)
    rows = await tx.fetch_all(
        "SELECT sid, until FROM provider_sessions WHERE " + " AND ".join(conditions),  # noqa: S608  # constants
        parameters,
    )
    for row in rows:
        await end_own(tx, row["sid"], row["until"])
    return len(rows)


async def end_own(tx: Transaction, sid: str, until: int) -> bool:
    """End a session whose tokens expire at `until`, and delete its provider session.

    Return whether that is a change.
    """
    is_new = await events.session_ended(tx, sid, until)
    await tx.execute("DELETE FROM provider_sessions WHERE sid = ?", (sid,))
    return is_new


async def has_dead(db: Database, now: int) -> bool:
    """Return whether there are rows to prune."""
    row = await db.fetch_one(
        "SELECT 1 FROM provider_sessions WHERE until <= ? LIMIT 1", (now - lifetimes.MARGIN,)
    )
    return row is not None


async def prune(tx: Transaction, now: int) -> int:
    """Delete the rows of sessions whose tokens expired a margin ago. Return their number.

    Without its row a session cannot be ended from the provider. So its tokens count as expired from
    now on, regardless of clocks.
    """
    count = await tx.execute(
        "DELETE FROM provider_sessions WHERE until <= ?", (now - lifetimes.MARGIN,)
    )
    if count:
        await lifetimes.pruned(tx, now)
    return count
