"""The result as JSON."""

from dataclasses import replace

import pytest

from tests.bench.making import answered, failed, findings, paired, planned
from vllm_gateway import codec
from vllm_gateway.bench.figures.knee import Step
from vllm_gateway.bench.figures.summary import NAMES
from vllm_gateway.bench.output.result_json import result

_KEYS = (
    "date endpoint_type backend label model_id tokenizer_id num_prompts request_rate burstiness max_concurrency "
    "duration completed failed total_input_tokens total_output_tokens request_throughput request_goodput "
    "output_throughput total_token_throughput input_lens output_lens ttfts itls latencies start_times queue_times "
    "errors max_output_tokens_per_s max_concurrent_requests mean_ttft_ms median_ttft_ms std_ttft_ms p99_ttft_ms "
    "mean_tpot_ms median_tpot_ms std_tpot_ms p99_tpot_ms mean_itl_ms median_itl_ms std_itl_ms p99_itl_ms mean_e2el_ms "
    "median_e2el_ms std_e2el_ms p99_e2el_ms"
)
VLLM_KEYS = frozenset(_KEYS.split())
"""What `vllm bench serve` writes of a chat model."""


def test_the_keys_are_those_of_vllm() -> None:
    """So that what reads its results reads ours; all else is below one key."""
    found = result(findings([answered()]))
    assert found.keys() >= VLLM_KEYS
    assert found.keys() - VLLM_KEYS - set(NAMES) == {"gateway"}


def test_every_request_has_its_place() -> None:
    """In lists of one length; what a failed one does not have is 0, as vLLM writes it."""
    found = result(findings([answered(1.0, ttft=0.2), failed(3.0)]))
    assert found["ttfts"] == [pytest.approx(0.2), 0.0]
    assert found["start_times"] == [0.0, 2.0]
    assert found["itls"] == [[0.01, 0.01], []]
    assert (found["input_lens"], found["output_lens"]) == ([20, 0], [3, 0])
    assert found["errors"] == ["", "http_503: out of\norder"]
    assert (found["latencies"][1], found["num_prompts"], found["max_concurrency"]) == (0.0, 2, 1)
    assert found["request_rate"] == "inf"
    assert result(findings([], planned(load={"rate": "3"})))["request_rate"] == 3


def test_it_is_json_whatever_was_measured() -> None:
    """Also when that was nothing; the key stays secret."""
    plan = planned(server={"api_key": "sk-secret"})
    for found in (findings([], plan), paired([failed()], [failed()]), paired([answered()], [answered()])):
        text = codec.dumps(result(found))
        assert b"NaN" not in text
        assert b"sk-secret" not in text


def test_what_the_gateway_adds_is_there() -> None:
    """With its interval, beside the replica's own figures."""
    own = result(paired([answered(ttft=0.15)] * 2, [answered(ttft=0.1)] * 2))["gateway"]
    assert own["delta"]["p50_ttft_ms"] == {
        "value": pytest.approx(50),
        "low": pytest.approx(50),
        "high": pytest.approx(50),
        "is_sure": True,
    }
    assert own["direct"]["median_ttft_ms"] == pytest.approx(100)


def test_steps_models_and_the_verdict_are_there() -> None:
    """For programs that decide by them."""
    records = [answered(), answered(model="n"), failed()]
    found = findings(records, notes=("look out",))
    found = replace(found, steps=(Step(2, found.through.summary, "busy"),))
    own = result(found)["gateway"]
    assert (own["sweep"][0]["rate_per_s"], own["sweep"][0]["client_limit"]) == (2, "busy")
    assert list(own["models"]) == ["m", "n"]
    assert (own["is_passed"], own["unexpected_errors"], own["notes"]) == (False, {"http_503": 1}, ["look out"])
