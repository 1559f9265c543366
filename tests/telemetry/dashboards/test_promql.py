"""Pieces of PromQL."""

import pytest

from vllm_gateway.telemetry.dashboards.promql import (
    TARGETS,
    below,
    increase,
    of_replicas,
    quantile,
    rate,
    series,
    summed,
)
from vllm_gateway.telemetry.metrics import definitions as of


def test_every_piece_keeps_to_the_gateways_that_are_looked_at() -> None:
    """With more conditions behind."""
    assert series(of.INFLIGHT) == f"gateway_inflight_requests{{{TARGETS}}}"
    assert series(of.BREAKER, 'state="open"') == f'gateway_breaker_state{{{TARGETS}, state="open"}}'
    assert of_replicas("vllm:x") == f"vllm:x{{{TARGETS}}}"


def test_counters_are_asked_for_their_rate() -> None:
    """In a window that Grafana makes long enough; of a histogram, how many values came."""
    assert rate(of.ERRORS, "code") == f"sum by (code) (rate(gateway_errors_total{{{TARGETS}}}[$__rate_interval]))"
    assert rate(of.QUEUE_WAIT) == f"sum(rate(gateway_queue_wait_seconds_count{{{TARGETS}}}[$__rate_interval]))"
    assert increase(of.HEDGES, "1h") == f"sum(increase(gateway_hedges_total{{{TARGETS}}}[1h]))"
    assert summed(of.WORKERS, "instance") == f"sum by (instance) (gateway_workers{{{TARGETS}}})"


def test_histograms_are_asked_for_what_lies_below() -> None:
    """Either for the value below which a share lies, or for the share below a bound."""
    buckets = f"gateway_time_to_first_token_seconds_bucket{{{TARGETS}}}"
    wanted = f"histogram_quantile(0.9, sum by (model, le) (rate({buckets}[$__rate_interval])))"
    assert quantile(0.9, of.FIRST_TOKEN, "model") == wanted
    within = f'sum(rate(gateway_queue_wait_seconds_bucket{{{TARGETS}, le="1", a="b"}}[5m]))'
    every = f'sum(rate(gateway_queue_wait_seconds_count{{{TARGETS}, a="b"}}[5m]))'
    assert below("1", of.QUEUE_WAIT, "5m", 'a="b"') == f"{within} / {every}"


def test_a_label_that_is_not_there_is_a_fault() -> None:
    """It would give one line where several are meant."""
    with pytest.raises(ValueError, match="gateway_errors_total has no label model"):
        rate(of.ERRORS, "model")
