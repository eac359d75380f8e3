"""Prometheus metrics: counters and gauges, summed over the processes of a server."""

import asyncio
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import accumulate

import orjson
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from service import __version__
from service.limits.budgets import Pace
from service.telemetry.shared_memory import SharedMemory

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_PUBLISH_SECONDS = 1
TEXTS_PER_SECOND = 20
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


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
            within = self._own.within[key] = [0] * (len(_BUCKETS) + 1)
        within[bisect_left(_BUCKETS, seconds)] += 1
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
        registry = CollectorRegistry()
        registry.register(_Shown(total))
        return generate_latest(registry)

    def _now(self) -> Counters:
        for name, value in self._watched.items():
            self._own.gauges[name] = value()
        return self._own


class _Shown(Collector):
    """The metrics in the form of the library."""

    def __init__(self, figures: Counters) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        figures = self._figures
        yield from self._answers()
        yield _counter("latchkey_sign_ins", "Sign-ins, by method", "method", figures.sign_ins)
        yield _counter("latchkey_refusals", "Refused requests, by code", "code", figures.refusals)
        yield _counter(
            "latchkey_connections_closed",
            "Connections closed to keep a bound, by reason: head, body, unread, room, busy",
            "reason",
            figures.closed,
        )
        yield CounterMetricFamily(
            "latchkey_worker_restarts", "Workers that were begun again", figures.restarts
        )
        version = GaugeMetricFamily("latchkey_build_info", "The version", labels=["version"])
        version.add_metric([__version__], 1)
        yield version
        for name, value in figures.gauges.items():
            yield GaugeMetricFamily(f"latchkey_{name}", _GAUGES[name], value)

    def _answers(self) -> Iterator[Metric]:
        requests = CounterMetricFamily(
            "latchkey_requests", "Answered requests", labels=["method", "route", "status"]
        )
        times = HistogramMetricFamily(
            "latchkey_request_seconds",
            "From the request's last header to the answer's last byte",
            labels=["route"],
        )
        by_route: dict[str, list[int]] = {}
        for (method, route, status), within in self._figures.within.items():
            requests.add_metric([method, route, str(status)], sum(within))
            before = by_route.get(route, [0] * len(within))
            by_route[route] = [a + b for a, b in zip(before, within, strict=True)]
        bounds = [*map(floatToGoString, _BUCKETS), "+Inf"]
        for route, within in by_route.items():
            buckets = list(zip(bounds, accumulate(within), strict=True))
            times.add_metric([route], buckets, self._figures.seconds[route])
        yield requests
        yield times


_GAUGES = {
    "bypass_enabled": "1 if the development sign-in is on",
    "keys_file_bad": "1 if the file of keys has become bad; the keys from before are in use",
    "connections": "Open connections of clients",
    "revocations": "Sessions and users remembered",
    "feed_age_seconds": "How long ago the feed was known to be complete",
}


def _counter(name: str, meaning: str, label: str, counts: Counter[str]) -> Metric:
    family = CounterMetricFamily(name, meaning, labels=[label])
    for word, count in counts.items():
        family.add_metric([word], count)
    return family
