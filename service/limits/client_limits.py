"""The limits for clients: connections, time and memory."""

from dataclasses import dataclass

LINE_BYTES = 32_768
"""The maximum size of a request target, and of a header value."""
HEAD_BYTES = 131_072
"""The maximum size of a request head."""
HEAD_LINES = 128
"""The maximum number of header lines."""
HEADS_BYTES = 64 * 2**20
"""The maximum total size of incomplete heads. They use twice as much memory."""
BODY_BYTES = 65_536
BODIES_BYTES = 64 * 2**20
"""The maximum total size of incomplete bodies, half of it for trusted proxies."""
BODIES_SHARE = 4
"""One in this many connections may have an incomplete body; the same for trusted proxies."""
STRANGERS_SHARE = 8
"""If fewer than one in this many connections are not from proxies, a new one may close those."""
HEAD_SECONDS = 10.0
YOUNG_SECONDS = 1.0
"""Connections with a head younger than this are closed after idle connections."""
UNREAD_SECONDS = 30.0
UNREAD_EACH_BYTES = 16_384
"""The size of an unread answer that is not counted."""
UNREAD_BYTES = 64 * 2**20
"""The maximum total size of unread answers."""
AT_WORK_SECONDS = 0.5
"""If all connections are busy, one that has been busy for this time may be closed."""
LARGE_BYTES = 4_096
"""The size of a request, with the data behind it, that is not counted."""
LARGE_REQUESTS_BYTES = 64 * 2**20
"""The maximum total size of larger requests. They use about three times as much memory.

With characters beyond U+FFFF, five times.
"""
QUEUED = 2
"""The number of requests that are read ahead on a connection."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The limits of connections. `most` is their number; the default depends on the system.

    A request head must be complete `head_seconds` after its first byte, or after the connection was
    accepted. The client must read an answer within `unread_seconds`.
    """

    most: int | None = None
    head_seconds: float = HEAD_SECONDS
    unread_seconds: float = UNREAD_SECONDS
