"""Before the load: is the server there, which model does it have, and how long are made-up prompts?"""

from dataclasses import replace
from typing import Any

from vllm_gateway.bench.findings import Preparation
from vllm_gateway.bench.load.asking import Asking
from vllm_gateway.bench.load.fetching import NoAnswer, fetch
from vllm_gateway.bench.load.target import Target
from vllm_gateway.bench.plan import Plan
from vllm_gateway.bench.prompts.conversation import Listed, Salted, Source
from vllm_gateway.bench.prompts.synthetic import Lengths, Synthetic, sample

_SHORT_WORDS, _LONG_WORDS = 1, 256
_HOPELESS = frozenset({400, 401, 403, 404})
"""Statuses with which a server says that it will answer no request of this kind."""


class CannotMeasure(Exception):
    """The run cannot begin; `str()` of it is one sentence that says why."""


async def prepare(plan: Plan) -> tuple[Preparation, Lengths]:
    """Return what the server tells, and how long made-up prompts are for it; raise `CannotMeasure`."""
    models, version = plan.wishes.server.model, await _version(plan.target)
    notes = list(_notes(plan))
    try:
        models = models or (await _first_model(plan.target),)
        if plan.direct is not None:
            await fetch(plan.direct, "/v1/models")
    except NoAnswer as problem:
        raise CannotMeasure(str(problem)) from problem
    lengths = Lengths()
    if not plan.listed:
        try:
            lengths = await _measure_lengths(plan, models[0])
        except NoAnswer as problem:
            if problem.status in _HOPELESS:
                raise CannotMeasure(str(problem)) from problem
            notes.append(
                f"The length of made-up prompts is not the wanted one, for it could not be measured: {problem}"
            )
    return Preparation(models, version, tuple(notes)), lengths


def _notes(plan: Plan) -> list[str]:
    notes = []
    if plan.wishes.load.seed is not None:
        notes.append(
            "The seed was given: a server that has met it before has these prompts in its prefix cache, which shortens "
            "TTFT."
        )
    listed, requests = len(plan.listed), plan.load.requests
    if listed and not plan.is_salted and (requests is None or requests > listed):
        notes.append(
            f"The {listed} prompts of the file are asked again from the beginning: repeated ones may come out of the "
            "prefix cache. --salt prevents it."
        )
    return notes


async def _first_model(target: Target) -> str:
    listed: Any = await fetch(target, "/v1/models")
    try:
        return str(listed["data"][0]["id"])
    except (LookupError, TypeError) as mistake:
        raise CannotMeasure(f"{target.url} names no model: say which with --model.") from mistake


async def _version(target: Target) -> str | None:
    try:
        told = await fetch(target, "/version")
    except NoAnswer:
        return None  # not every server tells
    return str(told["version"]) if isinstance(told, dict) and "version" in told else None


async def _measure_lengths(plan: Plan, model: str) -> Lengths:
    """Ask two prompts of a known number of words, and return what the server says of their tokens."""
    asking = replace(plan.asking, is_stream=False, ignores_eos=False)
    counts = (_SHORT_WORDS, _LONG_WORDS)
    tokens = [await _tokens_of(plan.target, asking, model, words, plan.load.seed) for words in counts]
    return Lengths.fitted((_SHORT_WORDS, tokens[0]), (_LONG_WORDS, tokens[1]))


async def _tokens_of(target: Target, asking: Asking, model: str, words: int, seed: int) -> int:
    body = asking.body(model, [{"role": "user", "content": sample(seed, words)}], 1)
    told = await fetch(target, asking.endpoint.path, body)
    try:
        return int(told["usage"]["prompt_tokens"])
    except (LookupError, TypeError) as mistake:
        raise NoAnswer(f"{target.url} tells no usage.") from mistake


def source(plan: Plan, lengths: Lengths, *, side: str = "") -> Source:
    """Return what is asked of one target; of two targets, each gets other words of the same kind."""
    if not plan.listed:
        return Synthetic(plan.shape, seed=plan.load.seed, side=side, lengths=lengths)
    listed = Listed(plan.listed)
    return Salted(listed, f"{plan.load.seed:x}{side}") if plan.is_salted else listed
