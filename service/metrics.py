"""What Prometheus may ask: counters and gauges of one process."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from service import __version__

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class _Answers(Collector):
    """Answered requests, in plain numbers: one thread counts, and the library's locks cost."""

    def __init__(self) -> None:
        # By method, route and status: how many within each bucket, and their seconds in sum.
        self._within: dict[tuple[str, str, int], list[int]] = {}
        self._seconds: dict[str, float] = defaultdict(float)

    def add(self, method: str, route: str, status: int, seconds: float) -> None:
        key = (method, route, status)
        within = self._within.get(key)
        if within is None:
            within = self._within[key] = [0] * (len(_BUCKETS) + 1)
        within[bisect_left(_BUCKETS, seconds)] += 1
        self._seconds[route] += seconds

    def collect(self) -> Iterator[CounterMetricFamily | HistogramMetricFamily]:
        requests = CounterMetricFamily(
            "latchkey_requests", "Answered requests", labels=["method", "route", "status"]
        )
        times = HistogramMetricFamily(
            "latchkey_request_seconds",
            "From the request's last header to the answer's last byte",
            labels=["route"],
        )
        by_route: dict[str, list[int]] = {}
        for (method, route, status), within in self._within.items():
            requests.add_metric([method, route, str(status)], sum(within))
            before = by_route.get(route, [0] * len(within))
            by_route[route] = [a + b for a, b in zip(before, within, strict=True)]
        bounds = [*map(floatToGoString, _BUCKETS), "+Inf"]
        for route, within in by_route.items():
            buckets = list(zip(bounds, accumulate(within), strict=True))
            times.add_metric([route], buckets, self._seconds[route])
        yield requests
        yield times


class Metrics:
    """The figures of one application, in a registry of their own."""

    def __init__(self, *, bypass_enabled: bool) -> None:
        self._registry = CollectorRegistry()
        self._answers = _Answers()
        self._registry.register(self._answers)
        self._sign_ins = Counter(
            "latchkey_sign_ins", "Sign-ins, by method", ["method"], registry=self._registry
        )
        self._refusals = Counter(
            "latchkey_refusals", "Refused requests, by code", ["code"], registry=self._registry
        )
        Gauge(
            "latchkey_bypass_enabled",
            "1 if the development sign-in is on",
            registry=self._registry,
        ).set(bypass_enabled)
        Gauge("latchkey_build_info", "The version", ["version"], registry=self._registry).labels(
            __version__
        ).set(1)
        self._keys_file_bad = Gauge(
            "latchkey_keys_file_bad",
            "1 if JWT_KEYS_FILE has become bad; the keys from before are in use",
            registry=self._registry,
        )
        self._signed_in: dict[str, Counter] = {}

    def watch_feed(self, size: Callable[[], float], age: Callable[[], float]) -> None:
        """Show how many live revocations are remembered, and how old that knowledge is."""
        Gauge(
            "latchkey_revocations", "Sessions and users remembered", registry=self._registry
        ).set_function(size)
        Gauge(
            "latchkey_feed_age_seconds",
            "How long ago the feed was known to be complete",
            registry=self._registry,
        ).set_function(age)

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answer. `route` is the pattern of the path, never the path itself."""
        self._answers.add(method, route, status, seconds)

    def signed_in(self, method: str) -> None:
        """Count one sign-in."""
        counter = self._signed_in.get(method)
        if counter is None:
            counter = self._signed_in[method] = self._sign_ins.labels(method)
        counter.inc()

    def refused(self, code: str) -> None:
        """Count one refusal."""
        self._refusals.labels(code).inc()

    def keys_file(self, fault: str | None) -> None:
        """Note whether the file of keys is bad: it is if it has a fault."""
        self._keys_file_bad.set(fault is not None)

    def text(self) -> bytes:
        """Return the exposition format that CONTENT_TYPE names."""
        return generate_latest(self._registry)
