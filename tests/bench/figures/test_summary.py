"""The figures of a run."""

import pytest

from tests.bench.making import answered, failed
from vllm_gateway.bench.figures.goodput import Slo
from vllm_gateway.bench.figures.summary import NAMES, summarize


def test_figures_of_a_run() -> None:
    """Rates are of good answers over the whole time; every figure has its name."""
    records = [answered(0.0, ttft=0.1), answered(1.0, ttft=0.3, gaps=(0.1, 0.3)), failed(1.5), failed(1.6, "timeout")]
    found = summarize(records, 2.0, Slo.parse(["ttft:200"]))
    named = found.named()
    assert tuple(named) == tuple(sorted(named, key=NAMES.index))
    assert set(named) == set(NAMES)
    assert (found.completed, found.failed, found.asked, found.good) == (2, 2, 4, 1)
    assert found.errors == {"http_503": 1, "timeout": 1}
    assert (named["request_throughput"], named["request_goodput"], named["error_rate"]) == (1.0, 0.5, 0.5)
    assert (named["total_input_tokens"], named["total_output_tokens"], named["total_cached_tokens"]) == (40, 6, 8)
    assert (named["output_throughput"], named["total_token_throughput"], named["input_throughput"]) == (3, 23, 20)
    assert named["mean_ttft_ms"] == pytest.approx(200)
    assert named["median_itl_ms"] == pytest.approx(55)
    assert named["p99_e2el_ms"] == pytest.approx(120 + 0.99 * 580)
    assert named["mean_tpot_ms"] == pytest.approx((10 + 200) / 2)


def test_nothing_is_guessed() -> None:
    """An answer whose tokens are not told is counted as such, and has no time per token."""
    record = answered(input_tokens=None, output_tokens=None, cached_tokens=None)
    found = summarize([record], 1.0)
    assert (found.without_usage, found.output_tokens, found.cached_tokens) == (1, 0, None)
    assert found.times["tpot"] is None
    assert found.times["ttft"] is not None


def test_a_run_without_answers_has_no_times() -> None:
    """Its other figures are zero, not missing."""
    named = summarize([], 0.0).named()
    assert named["p99_ttft_ms"] is None
    assert named["error_rate"] is None
    assert named["request_throughput"] == 0


def test_the_busiest_moment_is_told() -> None:
    """How many requests were under way, and how many outputs came within a second."""
    slow = answered(0.0, ttft=1.0, gaps=[0.1] * 5)
    found = summarize([slow, answered(0.5, ttft=0.6, gaps=()), answered(5.0)], 6.0)
    assert found.most_at_once == 2
    assert found.most_output_per_s == 7
