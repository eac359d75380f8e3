"""Whether the clock of this process can be believed: by a stopwatch, and by other clocks."""

from collections.abc import Callable

from service.telemetry import logs

TOLERANCE = 5.0
"""Seconds by which clocks may differ."""

STEADY_SECONDS = 3600.0
"""How long a clock must have been steady, and in agreement with others, before it is believed."""

_CURE = "set the clock of the machine, for example by NTP"


class Clocks:
    """Compares `clock`, seconds since 1970, with `ticks`, a stopwatch, and with other clocks."""

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
        """Notice that the clock was set, forwards or backwards."""
        offset = self._clock() - self._ticks()
        if abs(offset - self._offset) > TOLERANCE:
            self._steady_since = self._ticks()
        self._offset = offset

    def doubt(self) -> None:
        """Start the hour again: other processes have found that clocks differ."""
        self._steady_since = self._ticks()

    def agrees(self, other: str, time: float) -> bool:
        """Compare the clock with another one that reads `time` now; warn once if they differ."""
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
