"""Log probabilities in the two shapes that clients know."""

from collections.abc import Sequence
from typing import Any

from vllm_gateway.sim.engine import tokens
from vllm_gateway.sim.engine.generation import Ranked
from vllm_gateway.sim.engine.model import Model

Noted = tuple[int, float | None, Ranked]
"""A token, its log probability (None for the first of a prompt) and the likeliest ones in its place."""


def chat_logprobs(noted: Sequence[Noted], *, as_ids: bool) -> dict[str, Any]:
    """Return the log probabilities of a chat choice."""
    return {
        "content": [
            {
                **_chat_entry(token, logprob, as_ids=as_ids),
                "top_logprobs": [_chat_entry(*other, as_ids=as_ids) for other in ranked],
            }
            for token, logprob, ranked in noted
        ]
    }


def completion_logprobs(noted: Sequence[Noted], *, as_ids: bool, offset: int = 0) -> dict[str, Any]:
    """Return the log probabilities of a completion; `offset` is where its first token's text begins."""
    names = [_name(token, as_ids=as_ids) for token, _, _ in noted]
    offsets = []
    for name in names:
        offsets.append(offset)
        offset += len(name)
    return {
        "text_offset": offsets,
        "token_logprobs": [logprob for _, logprob, _ in noted],
        "tokens": names,
        "top_logprobs": [_top(entry, as_ids=as_ids) for entry in noted],
    }


def note_prompt(model: Model, prompt: Sequence[int], count: int) -> list[Noted]:
    """Return what the model thinks of each token of a prompt after those before it."""
    noted: list[Noted] = [(prompt[0], None, [])]
    mind = model.read(prompt[:1])
    for token in prompt[1:]:
        noted.append((token, mind.logprob(token), mind.candidates(max(1, count))[:count]))
        mind.feed(token)
    return noted


def prompt_logprobs(noted: Sequence[Noted]) -> list[dict[str, dict[str, Any]] | None]:
    """Return the log probabilities of a prompt's tokens in vLLM's own shape: by id, the token itself first."""
    return [None if logprob is None else _ranked(token, logprob, others) for token, logprob, others in noted]


def _ranked(token: int, logprob: float, others: Ranked) -> dict[str, dict[str, Any]]:
    rank = next((at for at, (other, _) in enumerate(others, 1) if other == token), len(others) + 1)
    told = {str(token): {"logprob": logprob, "rank": rank, "decoded_token": tokens.name(token)}}
    for at, (other, value) in enumerate(others, 1):
        told.setdefault(str(other), {"logprob": value, "rank": at, "decoded_token": tokens.name(other)})
    return told


def _chat_entry(token: int, logprob: float | None, *, as_ids: bool) -> dict[str, Any]:
    name = _name(token, as_ids=as_ids)
    return {"token": name, "logprob": logprob, "bytes": list(name.encode())}


def _top(entry: Noted, *, as_ids: bool) -> dict[str, float] | None:
    token, logprob, ranked = entry
    if logprob is None:
        return None
    return {_name(other, as_ids=as_ids): value for other, value in [*ranked, (token, logprob)]}


def _name(token: int, *, as_ids: bool) -> str:
    return f"token_id:{token}" if as_ids else tokens.name(token)
