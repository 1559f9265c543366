"""How busy a replica is, and how much one request adds to that."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

from vllm_gateway.exchange import Asked

_LEAST_WORK = 0.5
"""The place that a request takes in the batch, however short it is."""
_MOST_WORK = 8.0
_BODY_BYTES = 16_384
"""So many bytes of a body weigh as much as one ordinary request, in which a quarter of them is usual."""
_ANSWER_TOKENS = 1024
"""So many tokens of an answer weigh as much; no answer counts as longer, for what may be asked is seldom used."""
_UNSAID_TOKENS = 256
_STEPS = 16
"""Work is a multiple of 1/16: sums of it are exact, and come back to 0 when all is done."""
_SLACK = 4
"""A warm cache is worth waiting behind so much more work than a cold replica has."""


class Candidate(Protocol):
    """What a policy knows of a replica."""

    @property
    def name(self) -> str:
        """Names it."""
        ...

    @property
    def weight(self) -> float:
        """Its share of the work, relative to the others; above 0."""
        ...

    @property
    def work(self) -> float:
        """What the requests weigh that it is answering for this gateway, in requests of ordinary size."""
        ...

    @property
    def others(self) -> int:
        """Requests inside it that came from elsewhere."""
        ...

    @property
    def turn(self) -> float:
        """Its place in the order of those that are equally busy: the lowest comes next."""
        ...

    @property
    def returns(self) -> int:
        """How often it came (back) in; between two times its cache may have been emptied."""
        ...


C = TypeVar("C", bound=Candidate)


def load_of(replica: Candidate) -> float:
    """Return how much a replica has to do for its weight."""
    return (replica.work + replica.others) / replica.weight


def busyness(replica: Candidate) -> dict[str, float]:
    """Return what makes a replica more or less busy than another, rounded for people."""
    told = {"load": round(load_of(replica), 2), "work": replica.work, "others": replica.others}
    return {**told, "weight": replica.weight, "turn": round(replica.turn, 2)}


def least_busy(candidates: Sequence[C]) -> C:
    """Choose the replica with the least work for its weight; of equals, the one whose turn it is.

    `candidates` must not be empty.
    """
    if len(candidates) == 1:
        return candidates[0]
    return min(candidates, key=lambda replica: ((replica.work + replica.others) / replica.weight, replica.turn))


def is_far_busier(replica: Candidate, least: Candidate) -> bool:
    """Say whether `replica` has so much more to do than the least busy one that no warm cache makes up for it.

    That is more than twice as much work for its weight, and `_SLACK` ordinary requests more.
    """
    return load_of(replica) > 2 * load_of(least) + _SLACK


def warm_one(candidates: Sequence[C], preferred: str | None) -> C | None:
    """Return the replica of that name, if it is there and not far busier than the least busy one."""
    if preferred is None:
        return None
    for warm in candidates:
        if warm.name == preferred:
            return None if is_far_busier(warm, least_busy(candidates)) else warm
    return None


def work_of(asked: Asked) -> float:
    """Estimate what a request weighs from the bytes of its body and the tokens that its answer may have.

    A body of 4 KiB with an answer of 256 tokens weighs 1. Nothing weighs more than 8 or less than a half.
    """
    fields = asked.fields
    tokens = fields.get("max_tokens") or fields.get("max_completion_tokens") or fields.get("max_output_tokens")
    if type(tokens) is not int:
        tokens = _UNSAID_TOKENS
    if not 0 <= tokens <= _ANSWER_TOKENS:
        tokens = min(max(tokens, 0), _ANSWER_TOKENS)
    answer = tokens * asked.choices / _ANSWER_TOKENS
    work = _LEAST_WORK + len(asked.body) / _BODY_BYTES + answer
    return int(work * _STEPS + 0.5) / _STEPS if work < _MOST_WORK else _MOST_WORK
