"""Limits for failed sign-ins: per account, per client network and per known device.

Counted in the database, for all workers and replicas, and only when an attempt fails. A known
device has a count of its own instead of the other two, so that others cannot lock a person out.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Literal, NamedTuple

from service.db import NOW, Database, Transaction
from service.errors import TooManyAttempts
from service.parsing.client_address import Address

Kind = Literal["account", "network", "device"]

FREE: dict[Kind, int] = {"account": 5, "network": 30, "device": 5}
"""How many failures have no delay: in a row, and for a network within `NETWORK_SECONDS`."""
NETWORK_SECONDS = 600
LONGEST_DELAY = 900
"""The delay doubles from 1 second to this."""
KEPT_SECONDS = 86_400
"""How long after the last failure of an account or device its count starts again."""
_PREFIXES = {4: 24, 6: 64}


class Counted(NamedTuple):
    """What failures are counted for. `subject` is a network, or a hash."""

    kind: Kind
    subject: str


@dataclass(frozen=True, slots=True)
class Limit:
    """A count of failures. `delay` is how many seconds the next attempt must wait."""

    kind: Kind
    subject: str
    user: str | None
    failures: int
    delay: int


def account(username: str) -> Counted:
    """Return the count of a user name. Unknown names count too; what was typed is not stored."""
    return Counted("account", hashlib.sha256(username.encode()).hexdigest())


def network(client: Address | None) -> Counted:
    """Return the count of a client's network: /24, for IPv6 /64."""
    if client is None:
        return Counted("network", "unknown")
    return Counted("network", str(ip_network((client, _PREFIXES[client.version]), strict=False)))


def device(device_id: str, user_id: int) -> Counted:
    """Return the count of a known device for one account."""
    digest = hashlib.sha256(f"{device_id} {user_id}".encode()).hexdigest()
    return Counted("device", digest)


class InFlight:
    """The attempts of this process that are being checked. They count as failures until then.

    Otherwise many attempts at once would all be checked before the first failure counts.
    """

    def __init__(self) -> None:
        self._counts: Counter[Counted] = Counter()

    @contextmanager
    def checking(self, counted: Sequence[Counted], rows: Sequence[Limit]) -> Iterator[None]:
        """Count one attempt while it is checked. Raises TooManyAttempts."""
        failures = {(row.kind, row.subject): row.failures for row in rows}
        for each in counted:
            known = failures.get((each.kind, each.subject), 0)
            running = self._counts[each]
            if running and known + running > FREE[each.kind]:
                raise TooManyAttempts(1)
        self._counts.update(counted)
        try:
            yield
        finally:
            self._counts.subtract(counted)
            for each in counted:
                if self._counts[each] <= 0:
                    del self._counts[each]


async def read(db: Database | Transaction, counted: Sequence[Counted]) -> list[Limit]:
    """Return the counts that exist."""
    places = " OR ".join(["(l.kind = ? AND l.subject = ?)"] * len(counted))
    return await _limits(db, places, [value for each in counted for value in each])


def require_none(limits: Sequence[Limit]) -> None:
    """Raise TooManyAttempts if an attempt must wait."""
    if (delay := longest_delay(limits)) > 0:
        raise TooManyAttempts(delay)


def longest_delay(limits: Sequence[Limit]) -> int:
    """Return how many seconds the next attempt must wait, 0 for none."""
    return max((each.delay for each in limits), default=0)


async def fail(tx: Transaction, counted: Sequence[Counted], user_id: int | None) -> int:
    """Count a failure. Return how many seconds the next attempt must wait, 0 for none."""
    delay = 0
    for each in counted:
        failures = await _add(tx, each, None if each.kind == "network" else user_id)
        if (wait := delay_after(each.kind, failures)) > 0:
            await tx.execute(
                f"UPDATE attempt_limits SET blocked_until = {NOW[tx.kind]} + ?"  # noqa: S608  # a constant
                " WHERE kind = ? AND subject = ?",
                (wait, *each),
            )
        delay = max(delay, wait)
    return delay


def delay_after(kind: Kind, failures: int) -> int:
    """Return the delay in seconds after so many failures, 0 for none."""
    above = failures - FREE[kind]
    return 0 if above <= 0 else min(2 ** min(above - 1, 16), LONGEST_DELAY)


async def clear(tx: Transaction, counted: Sequence[Counted]) -> int:
    """Delete the counts of accounts and devices after a success. Return their number.

    Those of networks stay: an attacker could clear them with an account of their own.
    """
    own = [each for each in counted if each.kind != "network"]
    return sum(
        [
            await tx.execute("DELETE FROM attempt_limits WHERE kind = ? AND subject = ?", each)
            for each in own
        ]
    )


async def clear_user(tx: Transaction, username: str) -> int:
    """Delete all counts of a user's name and devices. Return their number."""
    return await tx.execute(
        "DELETE FROM attempt_limits WHERE (kind = 'account' AND subject = ?)"
        " OR user_id = (SELECT id FROM users WHERE username = ?)",
        (account(username).subject, username),
    )


async def delayed(db: Database) -> list[Limit]:
    """Return all counts that delay attempts now."""
    return await _limits(db, f"l.blocked_until > {NOW[db.kind]}", ())


async def has_dead(db: Database, _now: int) -> bool:
    """Return whether there are counts to prune, by the database's clock."""
    row = await db.fetch_one(f"SELECT 1 FROM attempt_limits WHERE {_dead(db)} LIMIT 1")  # noqa: S608  # a constant
    return row is not None


async def prune(tx: Transaction, _now: int) -> int:
    """Delete old counts. Return the number of rows."""
    return await tx.execute(f"DELETE FROM attempt_limits WHERE {_dead(tx)}")  # noqa: S608  # a constant


def _dead(db: Database | Transaction) -> str:
    return f"expires_at <= {NOW[db.kind]} AND blocked_until <= {NOW[db.kind]}"


async def _add(tx: Transaction, counted: Counted, user_id: int | None) -> int:
    """Count a failure and return the new count. A count that has expired starts again at 1."""
    now = NOW[tx.kind]
    # The count of a network is for a fixed time, the others until some time after the last failure.
    end, kept = (
        (f"{now} + {NETWORK_SECONDS}", "attempt_limits.expires_at")
        if counted.kind == "network"
        else (f"{now} + {KEPT_SECONDS}", f"{now} + {KEPT_SECONDS}")
    )
    is_over = f"attempt_limits.expires_at <= {now}"
    row = await tx.fetch_one(
        "INSERT INTO attempt_limits"  # noqa: S608  # constants
        " (kind, subject, user_id, failures, blocked_until, expires_at)"
        f" VALUES (?, ?, ?, 1, 0, {end}) ON CONFLICT (kind, subject) DO UPDATE SET"
        f" failures = CASE WHEN {is_over} THEN 1 ELSE attempt_limits.failures + 1 END,"
        f" expires_at = CASE WHEN {is_over} THEN {end} ELSE {kept} END,"
        " user_id = excluded.user_id RETURNING failures",
        (*counted, user_id),
    )
    return int(row["failures"]) if row else 0


async def _limits(
    db: Database | Transaction, condition: str, values: Sequence[object]
) -> list[Limit]:
    now = NOW[db.kind]
    rows = await db.fetch_all(
        "SELECT l.kind, l.subject, u.username,"  # noqa: S608  # constants
        f" CASE WHEN l.expires_at <= {now} THEN 0 ELSE l.failures END AS failures,"
        f" CASE WHEN l.blocked_until > {now} THEN l.blocked_until - {now} ELSE 0 END AS delay"
        " FROM attempt_limits l LEFT JOIN users u ON u.id = l.user_id"
        f" WHERE {condition} ORDER BY l.blocked_until DESC, l.kind, l.subject",
        values,
    )
    return [
        Limit(row["kind"], row["subject"], row["username"], row["failures"], row["delay"])
        for row in rows
    ]
