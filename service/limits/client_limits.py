"""What clients may take of connections, of time and of memory."""

from dataclasses import dataclass

HEAD_BYTES = 65_536
"""How long a request head may be in all; each line of it is bounded by the parser."""
HEADS_BYTES = 64 * 2**20
"""How much of incomplete heads there may be altogether. It takes twice as much memory."""
BODY_BYTES = 65_536
BODIES_BYTES = 64 * 2**20
"""How much of incomplete bodies there may be altogether: half of it from trusted proxies."""
BODIES_SHARE = 4
"""One of so many connections may wait for the rest of a body; the same for trusted proxies."""
STRANGERS_SHARE = 8
"""If fewer than one of so many connections is no trusted proxy's, a new one may close those."""
HEAD_SECONDS = 10.0
YOUNG_SECONDS = 1.0
"""A head that was begun since then makes room after idle connections."""
UNREAD_SECONDS = 30.0
UNREAD_EACH_BYTES = 16_384
"""Of an answer so much may wait for its client without being counted."""
UNREAD_BYTES = 64 * 2**20
"""How much of answers may wait altogether."""
AT_WORK_SECONDS = 0.5
"""If all others are at work, one that has been for so long makes room: most of them only wait."""
LARGE_BYTES = 4_096
"""A request that is not larger, with what waits behind it, is not counted."""
LARGE_REQUESTS_BYTES = 64 * 2**20
"""How much of larger ones there may be altogether. It takes some three times as much memory."""
QUEUED = 2
"""So many requests of a connection are read before the one in front of them has its answer."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What clients may take. `most` is the number of connections, by default from the system.

    A request head is complete `head_seconds` after its first byte, the first one of a connection
    after that was accepted; an answer is read within `unread_seconds`.
    """

    most: int | None = None
    head_seconds: float = HEAD_SECONDS
    unread_seconds: float = UNREAD_SECONDS
