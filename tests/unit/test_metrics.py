"""The metrics: what is counted, under which names, for Prometheus to read."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from service import __version__
from service.telemetry.metrics import CONTENT_TYPE, Metrics

Sample = tuple[str, frozenset[tuple[str, str]]]


def samples(metrics: Metrics) -> dict[Sample, float]:
    """Return the samples as Prometheus reads them, by name and labels."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(metrics.text().decode())
        for sample in family.samples
    }


def one(metrics: Metrics, name: str, **labels: str) -> float:
    """Return the value of one sample."""
    return samples(metrics)[name, frozenset(labels.items())]


@pytest.fixture
def metrics() -> Metrics:
    """Return the figures of an application that has done nothing yet."""
    return Metrics(bypass_enabled=False)


def test_what_has_not_happened_is_not_counted(metrics: Metrics) -> None:
    assert samples(metrics) == {
        ("latchkey_bypass_enabled", frozenset()): 0,
        ("latchkey_build_info", frozenset({("version", __version__)})): 1,
        ("latchkey_keys_file_bad", frozenset()): 0,
        ("latchkey_worker_restarts_total", frozenset()): 0,
    }


def test_a_bypass_that_is_on_shows() -> None:
    assert one(Metrics(bypass_enabled=True), "latchkey_bypass_enabled") == 1


def test_a_bad_file_of_keys_shows_until_it_is_mended(metrics: Metrics) -> None:
    metrics.keys_file("the file is missing")
    assert one(metrics, "latchkey_keys_file_bad") == 1
    metrics.keys_file(None)
    assert one(metrics, "latchkey_keys_file_bad") == 0


def test_answers_are_counted_by_method_route_and_status(metrics: Metrics) -> None:
    for status in (200, 200, 404):
        metrics.answered("GET", "/auth/me", status, 0.002)
    metrics.answered("POST", "/auth/me", 200, 0.002)
    requests = {
        tuple(sorted(dict(labels).values())): value
        for (name, labels), value in samples(metrics).items()
        if name == "latchkey_requests_total"
    }
    assert requests == {
        ("/auth/me", "200", "GET"): 2,
        ("/auth/me", "404", "GET"): 1,
        ("/auth/me", "200", "POST"): 1,
    }


def test_how_long_answers_take_is_counted_by_route(metrics: Metrics) -> None:
    for status, seconds in ((200, 0.25), (404, 0.5), (200, 100.0)):
        metrics.answered("GET", "/", status, seconds)
    metrics.answered("GET", "/docs", 200, 0.0)
    assert one(metrics, "latchkey_request_seconds_count", route="/") == 3
    assert one(metrics, "latchkey_request_seconds_sum", route="/") == 100.75
    buckets = {"0.1": 0, "0.25": 1, "0.5": 2, "10.0": 2, "+Inf": 3}
    for limit, count in buckets.items():
        assert one(metrics, "latchkey_request_seconds_bucket", route="/", le=limit) == count


def test_sign_ins_and_refusals_are_counted_by_their_word(metrics: Metrics) -> None:
    for _ in range(2):
        metrics.signed_in("bypass")
    metrics.refused("token_expired")
    assert one(metrics, "latchkey_sign_ins_total", method="bypass") == 2
    assert one(metrics, "latchkey_refusals_total", code="token_expired") == 1


def test_two_applications_in_one_process_count_apart(metrics: Metrics) -> None:
    metrics.refused("token_expired")
    assert samples(Metrics(bypass_enabled=False)).keys() < samples(metrics).keys()


def test_the_content_type_names_the_format_that_the_text_has(metrics: Metrics) -> None:
    assert CONTENT_TYPE == "text/plain; version=0.0.4; charset=utf-8"
    assert metrics.text().endswith(b"\n")
    assert b"# EOF" not in metrics.text()  # that is how the other format ends
