"""The list of metrics."""

import re

import pytest

from vllm_gateway.telemetry.metrics.definitions import BY_NAME, METRICS, Fold, Kind, Metric

CONTRACT = {
    "gateway_requests_total": ("route", "model", "status_class", "outcome"),
    "gateway_request_duration_seconds": ("model",),
    "gateway_time_to_first_token_seconds": ("model",),
    "gateway_inter_token_latency_seconds": ("model",),
    "gateway_overhead_seconds": ("phase",),
    "gateway_tokens_total": ("model", "direction", "cached"),
    "gateway_inflight_requests": (),
    "gateway_queue_depth": (),
    "gateway_queue_wait_seconds": (),
    "gateway_upstream_attempts_total": ("backend", "result"),
    "gateway_backend_up": ("backend",),
    "gateway_breaker_state": ("backend", "state"),
    "gateway_ratelimit_rejections_total": ("limit", "scope"),
    "gateway_cache_events_total": ("result",),
    "gateway_client_disconnects_total": ("phase",),
    "gateway_resumes_total": ("outcome", "reason"),
    "gateway_store_errors_total": ("store",),
    "gateway_build_info": ("version", "python"),
}


def test_names_that_others_rely_on_stay() -> None:
    """Dashboards and alerts are built on names and labels."""
    assert {name: BY_NAME[name].labels for name in CONTRACT} == CONTRACT


def test_a_name_stands_for_one_metric() -> None:
    """Nothing is listed twice."""
    assert len(BY_NAME) == len(METRICS)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_names_follow_prometheus(metric: Metric) -> None:
    """Counters end in `_total`, times are in seconds, labels are not those that the format has for itself."""
    assert re.fullmatch(r"gateway_[a-z_]+", metric.name)
    assert metric.name.endswith("_total") is (metric.kind is Kind.COUNTER)
    assert metric.name.endswith("_seconds") is (metric.kind is Kind.HISTOGRAM)
    assert len(set(metric.labels)) == len(metric.labels)
    assert not {"le", "quantile", "job", "instance"} & set(metric.labels)
    assert metric.help[0].isupper() or metric.help[0].isdigit()
    assert metric.help.endswith(".")


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_only_histograms_have_buckets(metric: Metric) -> None:
    """Their bounds go up; what is counted is added up over workers."""
    assert bool(metric.buckets) is (metric.kind is Kind.HISTOGRAM)
    assert list(metric.buckets) == sorted(set(metric.buckets))
    assert metric.fold is Fold.SUM or metric.kind is Kind.GAUGE
