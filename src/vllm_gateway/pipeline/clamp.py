"""A `max_tokens` that does not fit into the model's context behind the prompt is lowered to what does."""

from collections.abc import Sequence
from dataclasses import replace

from vllm_gateway.admission.members import edited
from vllm_gateway.exchange import Asked
from vllm_gateway.upstream.counting import Counting
from vllm_gateway.upstream.replica import Replica

_PATHS = frozenset({"/v1/chat/completions", "/v1/completions"})
"""The routes whose prompts a replica can count."""
_FIELDS = ("max_completion_tokens", "max_tokens")


class Clamp:
    """Asks a replica for the prompt's size only when the answer might not fit."""

    def __init__(self, counting: Counting) -> None:
        self._counting = counting

    async def fitted(self, asked: Asked, model: str, serving: Sequence[Replica], *, prefers: str | None) -> Asked:
        """Return the request with an answer that fits; a prompt that leaves no room is the replica's to refuse.

        Raises:
            GatewayError: the prompt could not be counted.
        """
        wanted = {name: asked.fields[name] for name in _FIELDS if isinstance(asked.fields.get(name), int)}
        limit = max_model_len(model, serving)
        if not wanted or limit is None or not _can_be_counted(asked):
            return asked
        if len(asked.body) + max(wanted.values()) <= limit:  # a token has at least one byte
            return asked
        counted = await self._counting.count(serving, {**asked.fields, "model": model}, prefers=prefers)
        room = limit - counted.tokens
        changes = {name: room for name, tokens in wanted.items() if tokens > room}
        if room < 1 or not changes:
            return asked
        return replace(asked, fields={**asked.fields, **changes}, body=edited(asked.body, changes=changes))


def max_model_len(model: str, serving: Sequence[Replica]) -> int | None:
    """Return the length of the model's context that all of `serving` have; None when none of them tells."""
    least = None
    for replica in serving:
        row = replica.models.get(model)
        length = None if row is None else row.get("max_model_len")
        if isinstance(length, int) and (least is None or length < least):
            least = length
    return least


def _can_be_counted(asked: Asked) -> bool:
    return asked.path in _PATHS and (isinstance(asked.fields.get("prompt"), str) or "messages" in asked.fields)
