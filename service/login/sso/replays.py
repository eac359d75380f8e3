"""A replay cache of one process, for finished attempts."""

import time
from collections.abc import Callable

AT_MOST = 10_000


class ReplayCache:
    """Values that may be used once."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until: dict[str, float] = {}

    def add(self, what: str, seconds: float) -> bool:
        """Add a value for `seconds`. Return whether it is new.

        If the cache is full, the oldest value is removed.
        """
        now = self._clock()
        if self._until.get(what, now) > now:
            return False
        if len(self._until) >= AT_MOST:
            self._until = {key: until for key, until in self._until.items() if until > now}
            for oldest in list(self._until)[: max(0, len(self._until) - AT_MOST + 1)]:
                del self._until[oldest]
        self._until[what] = now + seconds
        return True
