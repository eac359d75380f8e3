"""How old a memory of what others change is, and whether asking again is worth the wait."""

from collections.abc import Callable

FRESH_SECONDS = 1.0
_GONE_SECONDS = 2.0  # longer than two attempts are apart
_IN_A_ROW = 2


class Freshness:
    """When it was last asked and answered, by a stopwatch in seconds."""

    def __init__(self, ticks: Callable[[], float]) -> None:
        self.ticks = ticks
        self._known_at = -float("inf")
        self._asked_at = -float("inf")
        self._failed_at = -float("inf")
        self._failures = 0

    @property
    def age(self) -> float:
        """How long ago what is known was surely complete."""
        return self.ticks() - self._known_at

    def asked(self) -> float:
        """Remember that an attempt begins now; return when that is."""
        self._asked_at = self.ticks()
        return self._asked_at

    def answered(self, asked_at: float) -> None:
        """Remember that an attempt succeeded: what is known was complete when it began."""
        self._known_at, self._failures = asked_at, 0

    def failed(self) -> None:
        """Remember that an attempt failed."""
        self._failed_at, self._failures = self.ticks(), self._failures + 1

    def should_refresh(self, *, is_under_way: bool) -> bool:
        """Tell whether to ask before answering, or to wait for who asks already.

        Two attempts in a row that have just failed tell all others not to wait for the same. One
        does not: it may have failed because this process was asleep.
        """
        if self.age <= FRESH_SECONDS:
            return False
        if self._failures >= _IN_A_ROW and self.ticks() - self._failed_at < _GONE_SECONDS:
            return False
        return is_under_way or self.ticks() - self._asked_at > FRESH_SECONDS
