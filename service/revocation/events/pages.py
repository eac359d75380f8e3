"""Read a page of the feed with the state of the same moment."""

from dataclasses import dataclass

from service.db import Reader, Row
from service.tokens.lifetimes import State

_ALL = 2**62  # more rows than there will ever be

_READ = """
SELECT seq, kind, sid, user_id, version, until FROM (
 SELECT seq, kind, sid, user_id, version, until FROM changes WHERE seq > ? ORDER BY seq LIMIT ?
) AS page
UNION ALL SELECT max(seq), 'newest', NULL, NULL, NULL, NULL FROM changes
UNION ALL SELECT NULL, 'life', NULL, seconds, noted_at, until FROM token_lifetimes
UNION ALL SELECT NULL, 'moments', NULL, pruned_until, not_before, disputes FROM revocation_state
"""
"""One statement sees one snapshot, even while a backup is restored."""


@dataclass(frozen=True, slots=True)
class Page:
    """The rows after a position, the highest `seq` (0 for none), and the state."""

    rows: list[Row]
    newest: int
    state: State


async def read(db: Reader, since: int = 0, limit: int = _ALL) -> Page:
    """Return the first rows after `since` in the order of `seq`, all that are not pruned.

    No clock is involved, so a process with a fast clock misses no row. Writers are serialized, so a
    reader that has seen a `seq` has missed none before it.
    """
    found: dict[str, list[Row]] = {"newest": [], "life": [], "moments": []}
    rows: list[Row] = []
    for row in await db.fetch_all(_READ, (since, limit)):
        found.get(row["kind"], rows).append(row)
    rows.sort(key=lambda row: int(row["seq"]))  # a union has no guaranteed order
    state = State.of(
        *(
            [(each["user_id"], each["version"], each["until"]) for each in found[name]]
            for name in ("life", "moments")
        )
    )
    return Page(rows, found["newest"][0]["seq"] or 0, state)
