"""`vllm-gateway sim`."""

from typing import Annotated, Any

from cyclopts import CycloptsError, Parameter
from cyclopts.validators import Number

_Port = Annotated[int | None, Parameter(validator=Number(gte=0, lte=65535))]
_Time = Annotated[float | None, Parameter(validator=Number(gte=0, lte=3_600_000))]
_Count = Annotated[int | None, Parameter(validator=Number(gte=1, lte=10_000_000))]


def sim(
    *,
    host: str | None = None,
    port: _Port = None,
    model: list[str] | None = None,
    embedding_model: list[str] | None = None,
    max_model_len: _Count = None,
    ttft_ms: _Time = None,
    ttft_ms_per_1k: _Time = None,
    itl_ms: _Time = None,
    max_num_seqs: _Count = None,
    max_num_queued: _Count = None,
    kv_blocks: _Count = None,
    seed: int | None = None,
    fault: list[str] | None = None,
    api_key: str | None = None,
    dev_mode: bool | None = None,
) -> int:
    """Run the embedded engine: a server with vLLM's API, without a model, that makes its text up.

    For example: vllm-gateway sim --port 8001 --model tiny --ttft-ms 200 --itl-ms 20

    Args:
        host: Address to listen on. [default: 127.0.0.1]
        port: Port to listen on; 0 takes a free one. [default: 8000]
        model: Name of a model that generates; give it again for each further one. [default: sim-small]
        embedding_model: Name of a model that embeds; give it again for each further one. [default: sim-embed]
        max_model_len: Most tokens of a prompt and its answer together. [default: 4096]
        ttft_ms: Milliseconds to the first token of an empty prompt. [default: 50]
        ttft_ms_per_1k: Milliseconds more for 1,000 prompt tokens that are not cached. [default: 100]
        itl_ms: Milliseconds between two tokens of an answer. [default: 15]
        max_num_seqs: Most answers that are generated at once; others wait. [default: 256]
        max_num_queued: Most answers that run or wait; more get 503. [default: no limit]
        kv_blocks: Blocks of 16 tokens that the KV cache holds. [default: 8192]
        seed: Engines with the same seed answer alike. [default: 0]
        fault: What goes wrong on purpose; give it again for each further one. See docs/sim.md.
        api_key: Key that requests under /v1 must carry.
        dev_mode: Offer /sleep, /wake_up, /is_sleeping and /reset_prefix_cache.

    Returns:
        The exit status.
    """
    from vllm_gateway.sim import SimSettings, run  # noqa: PLC0415 - keeps --help quick

    place = {"host": host, "port": port, "api_key": api_key}
    names = {"models": model and tuple(model), "embedding_models": embedding_model and tuple(embedding_model)}
    speed = {"ttft_ms": ttft_ms, "ttft_ms_per_1k": ttft_ms_per_1k, "itl_ms": itl_ms, "max_num_seqs": max_num_seqs}
    room = {"max_model_len": max_model_len, "max_num_queued": max_num_queued, "kv_blocks": kv_blocks}
    mood = {"seed": seed, "faults": fault and tuple(fault), "dev_mode": dev_mode}
    given: dict[str, Any] = {**place, **names, **speed, **room, **mood}
    try:
        settings = SimSettings(**{name: value for name, value in given.items() if value is not None})
    except ValueError as mistake:
        raise CycloptsError(msg=str(mistake)) from mistake
    return run(settings)
