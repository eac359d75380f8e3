"""Prometheus metrics: counters and gauges, summed over the processes of a server."""

import asyncio
import importlib
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

import orjson

from service.limits.budgets import Pace
from service.telemetry.shared_memory import SharedMemory

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_PUBLISH_SECONDS = 1
TEXTS_PER_SECOND = 20
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


@dataclass
class Counters:
    """Plain numbers, since one thread counts and the library's locks are slow."""

    within: dict[tuple[str, str, int], list[int]] = field(default_factory=dict)
    """The number of answers in each bucket, by method, route and status."""
    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    """The total seconds of all answers, by route."""
    sign_ins: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    closed: Counter[str] = field(default_factory=Counter)
    """The number of connections closed by a limit, by reason."""
    restarts: int = 0
    """The number of worker restarts."""
    gauges: dict[str, float] = field(default_factory=dict)
    """Current values. The maximum over all processes is shown."""

    def add(self, other: "Counters") -> None:
        """Add the counters of another process."""
        for key, within in other.within.items():
            before = self.within.get(key, [0] * len(within))
            self.within[key] = [a + b for a, b in zip(before, within, strict=True)]
        for route, seconds in other.seconds.items():
            self.seconds[route] += seconds
        self.sign_ins.update(other.sign_ins)
        self.refusals.update(other.refusals)
        self.closed.update(other.closed)
        self.restarts += other.restarts
        for name, value in other.gauges.items():
            self.gauges[name] = max(value, self.gauges.get(name, value))

    def as_text(self) -> bytes:
        """Serialize the counters for another process."""
        return orjson.dumps({**vars(self), "within": list(self.within.items())})

    @classmethod
    def of_text(cls, text: bytes) -> "Counters":
        """Parse the result of `as_text`. An empty text gives empty counters."""
        if not text:
            return cls()
        found = orjson.loads(text)
        within = {(method, route, status): n for (method, route, status), n in found["within"]}
        return cls(
            within,
            defaultdict(float, found["seconds"]),
            Counter(found["sign_ins"]),
            Counter(found["refusals"]),
            Counter(found["closed"]),
            found["restarts"],
            found["gauges"],
        )


class Metrics:
    """The metrics of one process. With a `board`, those of the other processes are included.

    The process starts with the counters in its `place`, which an earlier process left, so that no
    counter decreases while the server runs.
    """

    def __init__(
        self, *, bypass_enabled: bool, board: SharedMemory | None = None, place: int = 0
    ) -> None:
        self._board = board
        self._place = place
        self._own = Counters() if board is None else Counters.of_text(board.read(place))
        self._own.gauges = {"bypass_enabled": bypass_enabled, "keys_file_bad": 0}
        self._watched: dict[str, Callable[[], float]] = {}
        self._texts = Pace(TEXTS_PER_SECOND, burst=TEXTS_PER_SECOND, patience=0, held=0)
        self._recent = b""

    def watch_feed(self, size: Callable[[], float], age: Callable[[], float]) -> None:
        """Add gauges for the size and the age of the revocation memory."""
        self._watched |= {"revocations": size, "feed_age_seconds": age}

    def watch(self, gauge: str, value: Callable[[], float]) -> None:
        """Add a gauge whose value is read for each scrape."""
        self._watched[gauge] = value

    def closed(self, reason: str) -> None:
        """Count a connection that a limit closed."""
        self._own.closed[reason] += 1

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answer. `route` is the pattern of the path, not the path."""
        key = (method, route, status)
        within = self._own.within.get(key)
        if within is None:
            within = self._own.within[key] = [0] * (len(BUCKETS) + 1)
        within[bisect_left(BUCKETS, seconds)] += 1
        self._own.seconds[route] += seconds

    def signed_in(self, method: str) -> None:
        """Count a sign-in."""
        self._own.sign_ins[method] += 1

    def refused(self, code: str) -> None:
        """Count an error answer."""
        self._own.refusals[code] += 1

    def restarted(self) -> None:
        """Count a worker restart."""
        self._own.restarts += 1

    def keys_file(self, fault: str | None) -> None:
        """Record whether the key file is invalid: `fault` is not None."""
        self._own.gauges["keys_file_bad"] = fault is not None

    def publish(self) -> None:
        """Publish the counters for the other processes."""
        if self._board is not None:
            self._board.write(self._place, self._now().as_text())

    async def keep_publishing(self) -> None:
        """Publish once a second until cancelled."""
        while self._board is not None:
            self.publish()
            await asyncio.sleep(_PUBLISH_SECONDS)

    def recent_text(self) -> bytes:
        """Return the current text, or a recent one if it is requested too often."""
        if self._texts.is_free():
            self._recent = self.text()
        return self._recent

    def text(self) -> bytes:
        """Return the metrics in the format of CONTENT_TYPE."""
        total = Counters()
        total.add(self._now())
        if self._board is not None:
            for text in self._board.read_others(self._place):
                total.add(Counters.of_text(text))
        # Loads the library, which takes memory, only at the first scrape.
        exposition = importlib.import_module("service.telemetry.exposition")
        return bytes(exposition.text(total))

    def _now(self) -> Counters:
        for name, value in self._watched.items():
            self._own.gauges[name] = value()
        return self._own
