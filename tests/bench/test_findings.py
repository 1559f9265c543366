"""Whether a run was good enough."""

from pathlib import Path

import pytest

from tests.bench.making import answered, failed, findings, paired, planned
from vllm_gateway.bench.figures.knee import Step
from vllm_gateway.bench.figures.summary import NAMES, summarize


def test_a_run_passes_when_all_went_well() -> None:
    """And something was measured at all."""
    assert findings([answered()]).is_passed
    assert not findings([]).is_passed
    assert not findings([answered(), failed()]).is_passed


def test_failures_may_be_expected() -> None:
    """By kind; others still count, wherever they happened."""
    plan = planned(verdict={"expect_errors": ("http_503",)})
    assert findings([answered(), failed()], plan).is_passed
    found = findings([answered(), failed(), failed(kind="timeout")], plan)
    assert (found.unexpected, found.is_passed) == ({"timeout": 1}, False)
    assert paired([answered()], [failed(kind="cut")]).unexpected == {"cut": 1}
    steps = (Step(1, summarize([failed(kind="reset")], 1.0)),)
    assert findings([answered()], steps=steps).unexpected == {"reset": 1}


def test_a_condition_that_holds_fails_the_run() -> None:
    """It is named as it was said."""
    plan = planned(verdict={"fail_if": ("p99_ttft_ms > 50", "p99_ttft_ms > 500")})
    found = findings([answered(ttft=0.1)], plan)
    assert (found.broken, found.is_passed) == (["p99_ttft_ms > 50"], False)


def test_conditions_can_ask_for_what_the_gateway_adds() -> None:
    """And for the replica's own figures."""
    verdict = {"fail_if": ("delta.p50_ttft_ms > 40", "direct.p50_ttft_ms > 150", "delta.mean_itl_ms > 0.1")}
    found = paired([answered(ttft=0.15)] * 3, [answered(ttft=0.1)] * 3, verdict=verdict)
    assert found.broken == ["delta.p50_ttft_ms > 40"]
    assert found.named()["delta.mean_e2el_ms"] == pytest.approx(50)


def test_every_figure_has_its_name() -> None:
    """Also of a run in which nothing was measured."""
    assert set(paired([failed()], [failed()]).named()) >= {"delta.p99_itl_ms", "direct.failed", *NAMES}


def test_changes_are_seen_against_an_earlier_run(tmp_path: Path) -> None:
    """By conditions too."""
    path = tmp_path / "old.json"
    path.write_text('{"median_ttft_ms": 50, "duration": 2.0, "gateway": {"load": {"model": "m"}}}')
    plan = planned(verdict={"vs": path, "fail_if": ("change.median_ttft_ms > 99",)})
    found = findings([answered(ttft=0.1)], plan)
    assert {each.name: each.percent for each in found.changes} == {"median_ttft_ms": pytest.approx(100), "duration": 0}
    assert found.broken == ["change.median_ttft_ms > 99"]


def test_the_load_is_what_must_be_equal() -> None:
    """In runs that are compared; not the addresses, nor the seed."""
    assert findings([]).load == {
        "model": "m",
        "endpoint": "chat",
        "stream": True,
        "load": "closed loop, 1 at once, 10 requests",
        "prompts": "synthetic",
        "synthetic": "64,64",
        "turns": 1,
        "shared_prefix": 0,
        "goodput": None,
    }
