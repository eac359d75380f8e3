"""The limit of file descriptors, and the number available for connections."""

import contextlib
import resource

MOST = 8192
"""The maximum number of connections, regardless of the limit of descriptors."""
RESERVED = 1152
"""The descriptors for other uses: database, log, providers, and the accept queue.

When a process stops, it accepts all queued connections (1,024) at once.
"""


def raise_descriptor_limit() -> None:
    """Raise the soft limit of descriptors to the hard limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):  # some systems have a lower limit of their own
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def most_connections() -> int:
    """Return the number of connections for which there are descriptors."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return MOST
    return min(MOST, max(soft - RESERVED, soft // 2))
