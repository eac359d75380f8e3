"""What Prometheus may ask: counters and gauges of one process."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from service import __version__

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Metrics:
    """The figures of one application, in a registry of their own."""

    def __init__(self, *, bypass_enabled: bool) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "latchkey_requests",
            "Answered requests",
            ["method", "route", "status"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "latchkey_request_seconds",
            "From the request's last header to the answer's last byte",
            ["route"],
            buckets=_BUCKETS,
            registry=self._registry,
        )
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
        self._children: dict[tuple[str, str, int], Counter] = {}
        self._signed_in: dict[str, Counter] = {}
        self._timers: dict[str, Histogram] = {}

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
        key = (method, route, status)
        counter = self._children.get(key)
        if counter is None:
            counter = self._children[key] = self._requests.labels(method, route, status)
            self._timers[route] = self._seconds.labels(route)
        counter.inc()
        self._timers[route].observe(seconds)

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
