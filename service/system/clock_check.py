"""Check the system clock against a monotonic clock and other machines."""

from collections.abc import Callable

from service.telemetry import logs

TOLERANCE = 5.0
"""The maximum difference of clocks in seconds."""

STEADY_SECONDS = 3600.0
"""How long a clock must have been steady and agreed with others to be reliable."""

_CURE = "set the clock of the machine, for example by NTP"


class Clocks:
    """Compares `clock`, seconds since 1970, with the monotonic `ticks` and with other clocks."""

    def __init__(self, clock: Callable[[], float], ticks: Callable[[], float]) -> None:
        self._clock = clock
        self._ticks = ticks
        self._offset = clock() - ticks()
        self._steady_since = ticks()
        self._reported: dict[str, float] = {}

    @property
    def is_reliable(self) -> bool:
        """Whether the clock has been steady, and no other clock has disagreed, for an hour."""
        self.check()
        return self._ticks() - self._steady_since >= STEADY_SECONDS

    def check(self) -> None:
        """Detect that the clock was set."""
        offset = self._clock() - self._ticks()
        if abs(offset - self._offset) > TOLERANCE:
            self._steady_since = self._ticks()
        self._offset = offset

    def doubt(self) -> None:
        """Restart the hour, because another process found that clocks differ."""
        self._steady_since = self._ticks()

    def agrees(self, other: str, time: float) -> bool:
        """Return whether another clock, which reads `time`, agrees. Warn once if not."""
        seconds = self._clock() - time
        if abs(seconds) <= TOLERANCE:
            self._reported.pop(other, None)
            return True
        self._steady_since = self._ticks()
        if abs(seconds - self._reported.get(other, 0)) > TOLERANCE:
            self._reported[other] = seconds
            logs.event(
                "clock_differs",
                level=logs.WARNING,
                from_clock_of=other,
                seconds=round(seconds),
                cure=_CURE,
            )
        return False
