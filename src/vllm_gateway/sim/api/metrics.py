"""`GET /metrics`: vLLM's names and types, moving with the work."""

from collections.abc import Iterable, Iterator

from vllm_gateway.sim.call import Call
from vllm_gateway.sim.engine.meters import Histogram
from vllm_gateway.sim.replica import Replica

_TEXT = b"text/plain; version=1.0.0; charset=utf-8"
Samples = Iterable[tuple[dict[str, str], float]]


def answer(replica: Replica, call: Call) -> None:
    """Write every series."""
    call.reply(200, render(replica).encode(), _TEXT)


def render(replica: Replica) -> str:
    """Return the page."""
    of_server = {"model_name": replica.served_name}
    of_engine = {"engine": "0"} | of_server
    lines: list[str] = []
    for name, help_text, samples in _gauges(replica):
        lines.extend(_series(f"vllm:{name}", "gauge", help_text, samples, of_engine))
    for name, help_text, samples in _counters(replica):
        labels = of_server if name == "admission_rejections" else of_engine
        lines.extend(_series(f"vllm:{name}_total", "counter", help_text, samples, labels))
        created = [(own, float(replica.started_at)) for own, _ in samples]
        lines.extend(_series(f"vllm:{name}_created", "gauge", help_text, created, labels))
    for histogram in replica.meters.histograms():
        lines.extend(_histogram(histogram, of_engine))
        created = [({}, float(replica.started_at))]
        lines.extend(_series(f"vllm:{histogram.name}_created", "gauge", histogram.help_text, created, of_engine))
    return "\n".join(lines) + "\n"


def _gauges(replica: Replica) -> Iterator[tuple[str, str, Samples]]:
    scheduler = replica.scheduler
    waiting = float(len(scheduler.waiting))
    level = scheduler.sleep_level
    states = {"awake": not level, "weights_offloaded": level == 1, "discard_all": level > 1}
    yield "num_requests_running", "Number of requests in model execution batches.", [({}, len(scheduler.running))]
    yield "num_requests_waiting", "Number of requests waiting to be processed.", [({}, waiting)]
    reasons = [({"reason": "capacity"}, waiting), ({"reason": "deferred"}, 0.0)]
    yield "num_requests_waiting_by_reason", "Number of waiting requests by reason.", reasons
    sleeping = [({"sleep_state": state}, float(is_so)) for state, is_so in states.items()]
    yield "engine_sleep_state", "Engine sleep state; awake = 0 means engine is sleeping.", sleeping
    yield "kv_cache_usage_perc", "KV-cache usage. 1 means 100 percent usage.", [({}, scheduler.kv.usage)]
    facts = {"block_size": "16", "enable_prefix_caching": "True", "num_gpu_blocks": str(replica.settings.kv_blocks)}
    yield "cache_config_info", "Information of the LLMEngine CacheConfig", [(facts, 1.0)]


def _counters(replica: Replica) -> Iterator[tuple[str, str, list[tuple[dict[str, str], float]]]]:
    meters, kv = replica.meters, replica.scheduler.kv
    yield "prefix_cache_queries", "Prefix cache queries, in terms of number of queried tokens.", [({}, kv.queries)]
    yield "prefix_cache_hits", "Prefix cache hits, in terms of number of cached tokens.", [({}, kv.hits)]
    yield "num_preemptions", "Cumulative number of preemption from the engine.", [({}, meters.preemptions)]
    yield "prompt_tokens", "Number of prefill tokens processed.", [({}, meters.prompt_tokens)]
    yield "prompt_tokens_cached", "Number of cached prompt tokens (local + external).", [({}, kv.hits)]
    yield "generation_tokens", "Number of generation tokens processed.", [({}, meters.generation_tokens)]
    ended = [({"finished_reason": reason}, float(count)) for reason, count in meters.finished_by_reason.items()]
    yield "request_success", "Count of successfully processed requests.", ended
    refused = [({"reason": "max_num_queued_reqs"}, float(meters.refused)), ({"reason": "max_num_queued_tokens"}, 0.0)]
    yield "admission_rejections", "Number of admission attempts rejected by a queue limit, by reason.", refused


def _series(name: str, kind: str, help_text: str, samples: Samples, labels: dict[str, str]) -> Iterator[str]:
    yield f"# HELP {name} {help_text}"
    yield f"# TYPE {name} {kind}"
    for own, value in samples:
        yield f"{name}{_labelled(labels | own)} {float(value)}"


def _histogram(histogram: Histogram, labels: dict[str, str]) -> Iterator[str]:
    name = f"vllm:{histogram.name}"
    yield f"# HELP {name} {histogram.help_text}"
    yield f"# TYPE {name} histogram"
    total = 0
    for bound, count in zip((*histogram.bounds, float("inf")), histogram.counts, strict=True):
        total += count
        edge = "+Inf" if bound == float("inf") else str(float(bound))
        yield f"{name}_bucket{_labelled(labels | {'le': edge})} {float(total)}"
    yield f"{name}_count{_labelled(labels)} {float(total)}"
    yield f"{name}_sum{_labelled(labels)} {float(histogram.total)}"


def _labelled(labels: dict[str, str]) -> str:
    return "{" + ",".join(f'{name}="{value}"' for name, value in sorted(labels.items())) + "}"
