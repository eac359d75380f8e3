"""A monotonic clock that includes suspend."""

import time

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def boottime() -> float:
    """Return monotonic seconds, including the time that the machine was suspended."""
    return time.clock_gettime(_CLOCK)
