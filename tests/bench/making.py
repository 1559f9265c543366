"""Records, plans and findings as the tests need them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from vllm_gateway.bench.figures.pairing import added
from vllm_gateway.bench.figures.summary import summarize
from vllm_gateway.bench.findings import Findings, Measured, Preparation
from vllm_gateway.bench.load.own_cost import OwnCost
from vllm_gateway.bench.load.record import Record
from vllm_gateway.bench.plan import Plan, make_plan
from vllm_gateway.bench.wishes import HowMuch, Output, Server, Verdict, WhatIsSaid, Wishes

COST = OwnCost(cpu_s=0.1, wall_s=1.0, events=1000, connections=2)


def answered(start: float = 0.0, *, ttft: float = 0.1, gaps: Sequence[float] = (0.01, 0.01), **changes: Any) -> Record:  # noqa: ANN401 - any field
    """Return a stream that was answered well."""
    told: dict[str, Any] = {
        "model": "m",
        "planned_at": start,
        "sent_at": start,
        "first_byte_at": start + ttft / 2,
        "first_output_at": start + ttft,
        "last_output_at": start + ttft + sum(gaps),
        "gaps_s": list(gaps),
        "events": len(gaps) + 3,
        "status": 200,
        "input_tokens": 20,
        "output_tokens": len(gaps) + 1,
        "cached_tokens": 4,
    }
    return Record(**(told | changes))


def failed(start: float = 0.0, kind: str = "http_503") -> Record:
    """Return a request that failed."""
    return Record("m", start, sent_at=start, status=503, error=kind, error_text="out of\norder")


def planned(**groups: dict[str, Any]) -> Plan:
    """Return a plan of these wishes, given by their groups."""
    return make_plan(
        Wishes(
            server=Server(**({"model": ("m",)} | groups.get("server", {}))),
            load=HowMuch(**groups.get("load", {})),
            prompts=WhatIsSaid(**groups.get("prompts", {})),
            verdict=Verdict(**groups.get("verdict", {})),
            output=Output(**groups.get("output", {})),
        )
    )


def measured(plan: Plan, records: Sequence[Record], *, seconds: float = 2.0, url: str = "http://a:1") -> Measured:
    """Return what these records come to."""
    models = dict.fromkeys(each.model for each in records)
    by_model = {
        model: summarize([each for each in records if each.model == model], seconds, plan.slo) for model in models
    }
    return Measured(url, records, summarize(records, seconds, plan.slo), COST, by_model)


def findings(records: Sequence[Record], plan: Plan | None = None, **changes: Any) -> Findings:  # noqa: ANN401 - any field
    """Return the findings of a run of one target."""
    plan = plan or planned()
    prepared = Preparation(("m",), "1.2.3")
    return replace(Findings(plan, prepared, 1_700_000_000.0, measured(plan, records)), **changes)


def paired(through: Sequence[Record], direct: Sequence[Record], **groups: dict[str, Any]) -> Findings:
    """Return the findings of a run of two targets, every request a round of its own."""
    plan = planned(server={"direct": "http://b:2"}, **groups)
    rounds = [([one], [other]) for one, other in zip(through, direct, strict=True)]
    return findings(through, plan, direct=measured(plan, direct, url="http://b:2"), added=added(rounds))
