"""A clock for measuring how long ago something was."""

import time

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def boottime() -> float:
    """Return seconds on a clock that goes on while the machine sleeps, and is never set."""
    return time.clock_gettime(_CLOCK)
