"""What all generating routes share: from prompts to running generations, and from their tokens back to an answer."""

import secrets
from collections.abc import Sequence
from typing import Any

from vllm_gateway.sim.api.problems import in_band, overloaded
from vllm_gateway.sim.call import Call
from vllm_gateway.sim.engine.generation import Generation, Wish
from vllm_gateway.sim.engine.model import Model
from vllm_gateway.sim.engine.scheduler import QueueFull
from vllm_gateway.sim.replica import Replica

Json = dict[str, Any]


def new_id() -> str:
    """Return what makes an answer's id its own."""
    return secrets.token_hex(8)


def request_id(call: Call, from_body: str | None) -> str:
    """Return the id that the caller gave its request, in a header or else in the body, or a new one."""
    return call.seen.header("x-request-id") or from_body or new_id()


def admit(replica: Replica, count: int) -> None:
    """Raise the `Problem` of a line that is full if so many more generations are too many."""
    try:
        replica.scheduler.admit(count)
    except QueueFull:
        raise overloaded() from None


class Answer:
    """One call being answered by one or more generations; ends them all when the caller leaves."""

    def __init__(self, replica: Replica, call: Call) -> None:
        self.replica = replica
        self.call = call
        self.generations: list[Generation] = []
        self._unfinished = 0
        self._is_begun = False

    def run(self, model: Model, prompts: Sequence[Sequence[int]], wishes: Sequence[Wish]) -> None:
        """Generate every wish for every prompt; choices are numbered through."""
        for prompt in prompts:
            for wish in wishes:
                self.generations.append(Generation(model, prompt, wish, self, index=len(self.generations)))
        self._unfinished = len(self.generations)
        self.call.work = self
        if self.call.script is not None:
            for generation in self.generations:
                generation.delay_s = self.call.script.delay_s
                generation.abort_at = self.call.script.abort_at
        self.began()
        for generation in self.generations:
            self.replica.scheduler.submit(generation)

    def heard(self, generation: Generation, token: int | None, text: str) -> None:
        """Take one token, or the end of a generation that the engine gave up."""
        seen = self.call.seen
        if token is not None:
            seen.tokens += 1
            seen.last_token_at = generation.times.last_token
        if not self._is_begun:
            self._is_begun = True
            seen.first_token_at = seen.last_token_at
            self.first_heard(generation)
        self.took(generation, token, text)
        if generation.finish_reason is not None:
            self._unfinished -= 1
            if not self._unfinished:
                self.finished()

    def began(self) -> None:
        """Do what comes before the first generation is queued."""

    def first_heard(self, generation: Generation) -> None:
        """Do what comes before the first token of any choice."""

    def took(self, generation: Generation, token: int | None, text: str) -> None:
        """Pass on a token and the text that may be sent since the one before."""

    def finished(self) -> None:
        """Do what comes after the last token of the last choice."""
        raise NotImplementedError

    def failed(self, message: str) -> None:
        """Say that generating failed, in the way of a stream that has begun."""
        self.call.send(in_band(message))
        self.call.send(b"data: [DONE]\n\n")
        self.call.end()

    def stop(self) -> None:
        """End every generation at once."""
        for generation in self.generations:
            self.replica.scheduler.cancel(generation)

    def usage(self, *, is_creation_told: bool = False) -> Json:
        """Return the whole usage as answers in one piece carry it."""
        prompt, completion = self.counts()
        details = None
        if self.replica.settings.prompt_tokens_details:
            cached, created = self.cache_counts()
            told = created if is_creation_told else None
            details = {"cached_tokens": cached, "created_cache_tokens": told, "multimodal_tokens": None}
        return {
            "prompt_tokens": prompt,
            "total_tokens": prompt + completion,
            "completion_tokens": completion,
            "prompt_tokens_details": details,
            "completion_tokens_details": None,
        }

    def cache_counts(self) -> tuple[int, int]:
        """Return the prompt tokens that were read from the cache and those that were added to it."""
        first = self.generations[0]
        return first.cached_tokens, first.created_tokens

    def counts(self) -> tuple[int, int]:
        """Return prompt and completion tokens over all choices; a prompt counts once, however many choices it has."""
        prompts = {id(generation.prompt): len(generation.prompt) for generation in self.generations}
        return sum(prompts.values()), sum(len(generation.ids) for generation in self.generations)

    def timing(self) -> Json | None:
        """Return how long things took, where there is one generation to speak of and the settings want it told."""
        if not self.replica.settings.per_request_metrics or len(self.generations) > 1:
            return None
        times, tokens = self.generations[0].times, len(self.generations[0].ids)
        decoding = times.last_token - times.first_token
        inference = times.last_token - times.scheduled
        return {
            "time_to_first_token_ms": (times.first_token - times.scheduled) * 1000,
            "generation_time_ms": decoding * 1000,
            "queue_time_ms": (times.scheduled - times.queued) * 1000,
            "mean_itl_ms": decoding / (tokens - 1) * 1000 if tokens > 1 else None,
            "tokens_per_second": tokens / inference if inference > 0 else None,
        }


def present(value: Json) -> Json:
    """Return `value` without what is None, inside too."""
    kept = {key: present(part) if isinstance(part, dict) else part for key, part in value.items()}
    return {key: part for key, part in kept.items() if part is not None}
