"""The metrics in Prometheus' text format."""

from collections import Counter
from collections.abc import Iterator
from itertools import accumulate

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
from service.telemetry.metrics import BUCKETS, Counters


def text(counters: Counters) -> bytes:
    """Return the exposition format that metrics.CONTENT_TYPE names."""
    registry = CollectorRegistry()
    registry.register(_Shown(counters))
    return generate_latest(registry)


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
        bounds = [*map(floatToGoString, BUCKETS), "+Inf"]
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
