"""File descriptors: how many this process may have, and how many of them are for connections."""

import contextlib
import resource

MOST = 8192
"""How many connections a process keeps at most, however many descriptors there are."""
RESERVED = 1152
"""Descriptors that are not for clients: database, log, providers, and the queue of newcomers.

A process that stops accepts all connections that wait (1,024) at once.
"""


def raise_descriptor_limit() -> None:
    """Raise this process's soft limit of descriptors to the hard one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):  # some systems have a lower limit of their own
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def most_connections() -> int:
    """Return how many connections the descriptors of this process are enough for."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return MOST
    return min(MOST, max(soft - RESERVED, soft // 2))
