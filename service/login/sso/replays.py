"""What a process has heard once and does not hear again: attempts that came back, as a rule."""

import time
from collections.abc import Callable

AT_MOST = 10_000


class ReplayCache:
    """What was said once and is not to be heard again, for as long as it could be said."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until: dict[str, float] = {}

    def add(self, what: str, seconds: float) -> bool:
        """Tell whether this is heard for the first time, and remember it for `seconds`.

        When there is too much to remember, the oldest is forgotten first.
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
