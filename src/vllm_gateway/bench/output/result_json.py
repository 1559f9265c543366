"""The result as JSON, under the keys of `vllm bench serve`; what it does not know stands under `gateway`."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from vllm_gateway import __version__
from vllm_gateway.bench.figures.pairing import Added
from vllm_gateway.bench.figures.summary import Summary
from vllm_gateway.bench.findings import Findings, Measured
from vllm_gateway.bench.load.arrivals import Closed, Open
from vllm_gateway.bench.load.record import Record
from vllm_gateway.bench.words import command

_BACKENDS = {"chat": "openai-chat", "completions": "openai", "embeddings": "openai-embeddings"}


def result(found: Findings) -> dict[str, Any]:
    """Return the whole result."""
    plan, through = found.plan, found.through
    arrivals = plan.load.arrivals
    return {
        "date": datetime.fromtimestamp(found.began_wall, UTC).strftime("%Y%m%d-%H%M%S"),
        "backend": _BACKENDS[plan.asking.endpoint.value],
        "endpoint_type": _BACKENDS[plan.asking.endpoint.value],
        "label": None,
        "model_id": ",".join(found.prepared.models),
        "tokenizer_id": None,
        "num_prompts": len(through.records),
        "request_rate": arrivals.rate_per_s if isinstance(arrivals, Open) else "inf",
        "burstiness": 1.0,
        "max_concurrency": arrivals.concurrency if isinstance(arrivals, Closed) else None,
        **through.summary.named(),
        **_requests(through.records),
        "gateway": _own(found),
    }


def _requests(records: Sequence[Record]) -> dict[str, Any]:
    """Return one value for each request; that of a failed one is 0, as `vllm bench serve` has it."""
    first = min((each.planned_at for each in records), default=0.0)
    return {
        "input_lens": [each.input_tokens or 0 for each in records],
        "output_lens": [each.output_tokens or 0 if each.is_good else 0 for each in records],
        "ttfts": [each.ttft_s or 0.0 for each in records],
        "itls": [each.gaps_s for each in records],
        "latencies": [each.e2e_s or 0.0 for each in records],
        "start_times": [each.planned_at - first for each in records],
        "queue_times": [each.late_s for each in records],
        "errors": ["" if each.error is None else f"{each.error}: {each.error_text}" for each in records],
    }


def _own(found: Findings) -> dict[str, Any]:
    direct = found.direct
    return {
        "version": __version__,
        "server_version": found.prepared.version,
        "url": found.through.url,
        "command": command(found.plan.wishes),
        "load": found.load,
        **_side(found.through),
        "direct": None if direct is None else {"url": direct.url, **direct.summary.named(), **_side(direct)},
        "delta": _delta(found.added),
        "sweep": [
            {"rate_per_s": step.rate_per_s, "is_kept": step.is_kept, "client_limit": step.client_limit}
            | step.summary.named()
            for step in found.steps
        ],
        "change": {each.name: each.percent for each in found.changes},
        "failed_conditions": found.broken,
        "unexpected_errors": found.unexpected,
        "notes": list(found.notes),
        "is_passed": found.is_passed,
    }


def _side(measured: Measured) -> dict[str, Any]:
    summary, cost = measured.summary, measured.cost
    return {
        "errors": dict(summary.errors),
        "without_usage": summary.without_usage,
        "models": _models(measured),
        "client": {
            "cpu_share": cost.cpu_share,
            "cpu_us_per_event": cost.cpu_us_per_event,
            "events": cost.events,
            "loop_lag_p99_ms": cost.loop_lag_p99_s * 1000,
            "send_lag_p99_ms": cost.send_lag_p99_s * 1000,
            "connections": cost.connections,
            "limit": cost.limit,
        },
    }


def _models(measured: Measured) -> dict[str, dict[str, float | None]]:
    return {} if len(measured.by_model) < 2 else {name: _few(each) for name, each in measured.by_model.items()}  # noqa: PLR2004 - of one model all is said


def _few(summary: Summary) -> dict[str, float | None]:
    named = summary.named()
    return {name: named[name] for name in ("completed", "failed", "median_ttft_ms", "p99_ttft_ms", "median_e2el_ms")}


def _delta(added: Mapping[str, Mapping[str, Added]]) -> dict[str, dict[str, float | bool]]:
    return {
        f"{figure}_{measure}_ms": {
            "value": each.value * 1000,
            "low": each.low * 1000,
            "high": each.high * 1000,
            "is_sure": each.is_sure,
        }
        for measure, figures in added.items()
        for figure, each in figures.items()
    }
