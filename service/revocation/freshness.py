"""The age of cached data, and the decision whether to refresh it before an answer."""

from collections.abc import Callable

from service import errors

FRESH_SECONDS = 1.0
_GONE_SECONDS = 2.0  # longer than the interval of two attempts
_IN_A_ROW = 2


class Freshness:
    """The times of the last attempts and successes, on a monotonic clock in seconds."""

    def __init__(self, ticks: Callable[[], float]) -> None:
        self.ticks = ticks
        self._known_at = -float("inf")
        self._asked_at = -float("inf")
        self._failed_at = -float("inf")
        self._failures = 0
        self._is_lasting = False

    @property
    def age(self) -> float:
        """The time in seconds since the data was known to be complete."""
        return self.ticks() - self._known_at

    def asked(self) -> float:
        """Record the start of an attempt and return its time."""
        self._asked_at = self.ticks()
        return self._asked_at

    def answered(self, asked_at: float) -> None:
        """Record the success of an attempt: the data was complete when it started."""
        self._known_at, self._failures = asked_at, 0

    def failed(self, error: errors.DatabaseUnavailable) -> None:
        """Record the failure of an attempt."""
        self._is_lasting = isinstance(error, errors.DatabaseFailed)
        self._failed_at, self._failures = self.ticks(), self._failures + 1

    def stale(self) -> errors.Problem:
        """Return the error for data that is too old: whether it is worth trying again."""
        return errors.DatabaseFailed() if self._is_lasting else errors.FeedStale()

    def should_refresh(self, *, is_under_way: bool) -> bool:
        """Return whether to refresh before an answer, or to wait for a refresh in progress.

        After two recent failures in a row, callers do not wait. One failure is not enough, because
        the process may have been suspended.
        """
        if self.age <= FRESH_SECONDS:
            return False
        if self._failures >= _IN_A_ROW and self.ticks() - self._failed_at < _GONE_SECONDS:
            return False
        return is_under_way or self.ticks() - self._asked_at > FRESH_SECONDS
