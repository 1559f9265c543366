"""The wishes, checked: what will be done."""

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from vllm_gateway import codec
from vllm_gateway.bench.figures import pairing
from vllm_gateway.bench.figures.comparison import read_earlier
from vllm_gateway.bench.figures.conditions import Condition, parse
from vllm_gateway.bench.figures.goodput import Slo
from vllm_gateway.bench.figures.knee import Sweep
from vllm_gateway.bench.figures.summary import NAMES
from vllm_gateway.bench.load.arrivals import Closed, Open, Pattern
from vllm_gateway.bench.load.asking import Asking, Endpoint
from vllm_gateway.bench.load.playing import Load
from vllm_gateway.bench.load.target import Target
from vllm_gateway.bench.prompts.conversation import Conversation
from vllm_gateway.bench.prompts.files import read_prompts
from vllm_gateway.bench.prompts.synthetic import Shape
from vllm_gateway.bench.wishes import HowMuch, Server, WhatIsSaid, Wishes

_DEFAULT_REQUESTS = 10
_DEFAULT_STEP_S = 10.0
_MOST_SEED = 1 << 31


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that is needed to measure and to judge."""

    wishes: Wishes
    target: Target
    direct: Target | None
    asking: Asking
    load: Load
    """For each target; the rate of a sweep's steps is their own."""
    sweep: Sweep | None
    shape: Shape
    listed: tuple[Conversation, ...]
    """The prompts of a file; with none they are made up."""
    is_salted: bool
    slo: Slo
    conditions: Mapping[str, Condition]
    """By what was said."""
    earlier: Mapping[str, Any] | None
    """The result of the run to compare with."""


def make_plan(wishes: Wishes) -> Plan:
    """Return what will be done; raise `ValueError` with a sentence about the first thing that is wrong."""
    server, said, verdict = wishes.server, wishes.prompts, wishes.verdict
    if server.direct is not None and wishes.load.sweep is not None:
        raise ValueError("--direct and --sweep cannot be combined: run one after the other.")
    if wishes.load.sweep is not None and not verdict.goodput:
        raise ValueError("--sweep needs --goodput: it looks for the highest rate that keeps it, as in ttft:500.")
    headers = _headers(server)
    listed = () if said.prompts is None else tuple(read_prompts(said.prompts, turns=said.turns))
    earlier = None if verdict.vs is None else read_earlier(verdict.vs)
    known = list(_known_names(has_direct=server.direct is not None, has_earlier=earlier is not None))
    return Plan(
        wishes=wishes,
        target=Target.at(server.url, headers),
        direct=None if server.direct is None else Target.at(server.direct, headers),
        asking=_asking(server, is_made_up=not listed),
        load=_load(wishes.load),
        sweep=None if wishes.load.sweep is None else Sweep.parse(wishes.load.sweep),
        shape=_shape(said),
        listed=listed,
        is_salted=said.salt if said.salt is not None else server.direct is not None and bool(listed),
        slo=Slo.parse(verdict.goodput),
        conditions={text: parse(text, known) for text in verdict.fail_if},
        earlier=earlier,
    )


def _known_names(*, has_direct: bool, has_earlier: bool) -> Iterable[str]:
    yield from NAMES
    if has_direct:
        yield from (f"direct.{name}" for name in NAMES)
        yield from (f"delta.{figure}_{measure}_ms" for measure in pairing.MEASURES for figure in pairing.FIGURES)
    if has_earlier:
        yield from (f"change.{name}" for name in NAMES)


def _headers(server: Server) -> dict[str, str]:
    headers = {} if server.api_key is None else {"authorization": f"Bearer {server.api_key}"}
    for text in server.header:
        name, colon, value = text.partition(":")
        if not colon or not name.strip() or not (text.isascii() and text.isprintable()):
            raise ValueError(f"--header {text!r}: it takes a name and a value, as in 'X-Team: blue'.")
        headers[name.strip()] = value.strip()
    return headers


def _asking(server: Server, *, is_made_up: bool) -> Asking:
    extra: object = {}
    if server.body is not None:
        try:
            extra = codec.loads(server.body)
        except codec.MalformedJson as mistake:
            raise ValueError(f"--body {server.body}: it is no JSON: {mistake}.") from mistake
    if not isinstance(extra, dict):
        raise ValueError(  # noqa: TRY004 - a mistake in the flags, like the others
            f"--body {server.body}: it takes a JSON object, as in '{{\"temperature\": 0}}'."
        )
    return Asking(Endpoint(server.endpoint), server.stream, ignores_eos=is_made_up, extra=extra)


def _load(wanted: HowMuch) -> Load:
    open_flags = [name for name in ("rate", "sweep", "concurrency") if getattr(wanted, name) is not None]
    if len(open_flags) > 1:
        raise ValueError(f"--{open_flags[0]} and --{open_flags[1]} cannot be combined: choose one.")
    if wanted.requests is not None and wanted.duration_s is not None:
        raise ValueError("--requests and --duration cannot be combined: choose one.")
    requests, duration_s = wanted.requests, wanted.duration_s
    if requests is None and duration_s is None:
        requests, duration_s = (None, _DEFAULT_STEP_S) if wanted.sweep else (_DEFAULT_REQUESTS, None)
    seed = wanted.seed if wanted.seed is not None else secrets.randbelow(_MOST_SEED)
    return Load(_arrivals(wanted), requests, duration_s, seed)


def _arrivals(wanted: HowMuch) -> Closed | Open:
    pattern = Pattern(wanted.arrivals)
    if wanted.sweep is not None:
        return Open(1.0, None, pattern, wanted.burst)
    if wanted.rate is None:
        return Closed(wanted.concurrency or 1)
    try:
        rates = [float(part) for part in wanted.rate.split(":")]
    except ValueError:
        rates = []
    if len(rates) not in {1, 2} or not all(0 < rate < float("inf") for rate in rates):
        raise ValueError(f"--rate {wanted.rate}: it takes requests per second, as in 20, or two rates, as in 5:50.")
    return Open(rates[0], rates[1] if len(rates) > 1 else None, pattern, wanted.burst)


def _shape(said: WhatIsSaid) -> Shape:
    try:
        tokens_in, tokens_out = (int(part) for part in said.synthetic.split(","))
    except ValueError:
        tokens_in = tokens_out = 0
    if min(tokens_in, tokens_out) < 1:
        raise ValueError(f"--synthetic {said.synthetic}: it takes tokens in and out, as in 512,128.")
    return Shape(tokens_in, tokens_out, said.turns, said.shared_prefix, said.prefixes, said.prefix_share)
