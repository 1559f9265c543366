"""What the engine counts."""

from vllm_gateway.sim.engine.generation import Generation, Wish
from vllm_gateway.sim.engine.meters import Histogram, Meters
from vllm_gateway.sim.engine.model import Model


class Nobody:
    """A listener that does not listen."""

    def heard(self, generation: Generation, token: int | None, text: str) -> None:
        """Forget it."""


def test_an_observation_counts_in_the_first_bucket_that_holds_it() -> None:
    """A bound belongs to its bucket, and what is beyond all bounds to the last."""
    histogram = Histogram("h", "help", (1, 2))
    for value in (0.5, 1, 1.5, 99):
        histogram.observe(value)
    assert histogram.counts == [2, 1, 1]
    assert histogram.total == 102


def test_a_finished_generation_is_counted_everywhere() -> None:
    """Its tokens, its times and its reason each find their place."""
    meters = Meters()
    generation = Generation(Model("m"), [1, 2, 3], Wish(max_tokens=9), Nobody())
    generation.ids = [5, 6, 7]
    times = generation.times
    times.queued, times.scheduled, times.first_token, times.last_token = 1.0, 2.0, 4.0, 8.0
    meters.first_token(generation)
    meters.finished(generation, "length")
    sums = {histogram.name: histogram.total for histogram in meters.histograms()}
    assert meters.prompt_tokens == 3
    assert meters.finished_by_reason["length"] == 1
    assert sums == {
        "request_prompt_tokens": 3,
        "request_generation_tokens": 3,
        "request_params_max_tokens": 9,
        "time_to_first_token_seconds": 3,
        "inter_token_latency_seconds": 0,
        "request_time_per_output_token_seconds": 2,
        "e2e_request_latency_seconds": 7,
        "request_queue_time_seconds": 1,
        "request_inference_time_seconds": 6,
        "request_prefill_time_seconds": 2,
        "request_decode_time_seconds": 4,
    }


def test_what_never_got_a_token_has_no_latency() -> None:
    """An abort before the first token adds to no histogram of times."""
    meters = Meters()
    meters.finished(Generation(Model("m"), [1], Wish(max_tokens=9), Nobody()), "abort")
    latencies = next(found for found in meters.histograms() if found.name == "e2e_request_latency_seconds")
    assert sum(latencies.counts) == 0
    assert meters.finished_by_reason["abort"] == 1
