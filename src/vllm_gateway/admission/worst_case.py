"""How many tokens a request may come to at most, as far as that can be told before a replica has seen it.

A prompt is estimated from its bytes: exact counts would cost a question to a replica for every request. What was
reserved and not used is given back at the end.
"""

import math
import re
from dataclasses import dataclass
from typing import Any

from vllm_gateway.exchange import Asked
from vllm_gateway.settings.admission import Limits

MEDIA_TOKENS = 1024
"""What one picture or sound that is sent along counts as; its bytes say nothing of its tokens."""

_MEDIA = re.compile(rb'"data:[^"]*"')
_REPLY_FIELDS = ("max_completion_tokens", "max_tokens", "max_output_tokens")
_WRITING = {
    "/v1/chat/completions": None,
    "/v1/completions": 16,
    "/v1/responses": None,
    "/v1/messages": None,
}
"""The routes whose answers are written token by token, and what vLLM writes at most when nothing is asked for."""
_COUNTING = frozenset({"/tokenize", "/detokenize", "/v1/messages/count_tokens"})
"""The routes that no model works for."""


@dataclass(slots=True)
class WorstCase:
    """Tokens that one request may come to. Nobody changes it; to freeze it takes twice the time."""

    prompt_tokens: int
    reply_tokens: int

    @property
    def tokens(self) -> int:
        """Prompt and answers together."""
        return self.prompt_tokens + self.reply_tokens


def worst_case(asked: Asked, limits: Limits, *, max_model_len: int | None) -> WorstCase:
    """Return what `asked` may come to with a model whose context has `max_model_len` tokens; None: not known."""
    path, fields = asked.path, asked.fields
    if path in _COUNTING:
        return WorstCase(0, 0)
    prompt_tokens = _prompt_tokens(asked, limits.bytes_per_token)
    if path not in _WRITING:
        return WorstCase(prompt_tokens, 0)
    each = _asked_for(fields) or _WRITING[path] or _unasked(limits)
    if max_model_len is not None:
        prompt_tokens, each = min(prompt_tokens, max_model_len), min(each, max_model_len)
    choices = max(asked.choices, _best_of(fields)) if "best_of" in fields else asked.choices
    return WorstCase(prompt_tokens, each * choices)


def _unasked(limits: Limits) -> int:
    return limits.default_max_tokens or limits.max_tokens_cap or limits.assumed_reply_tokens


def _asked_for(fields: dict[str, Any]) -> int | None:
    for name in _REPLY_FIELDS:
        value = fields.get(name)
        if isinstance(value, int) and value > 0:
            return value
    return None


def _best_of(fields: dict[str, Any]) -> int:
    value = fields["best_of"]
    return value if isinstance(value, int) else 1


def _prompt_tokens(asked: Asked, bytes_per_token: float) -> int:
    fields, body = asked.fields, asked.body
    prompt = fields["prompt"] if "prompt" in fields else fields.get("input")
    if isinstance(prompt, list) and prompt:
        if isinstance(prompt[0], int):
            return len(prompt)
        if isinstance(prompt[0], list):
            return sum(len(each) for each in prompt if isinstance(each, list))
    found = _MEDIA.findall(body)  # to look with `in` whether there is any takes up to five times as long
    if not found:
        return math.ceil(len(body) / bytes_per_token)
    size_bytes = len(body) - sum(map(len, found))
    return math.ceil(size_bytes / bytes_per_token) + len(found) * MEDIA_TOKENS
