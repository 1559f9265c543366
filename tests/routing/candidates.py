"""Replicas as a policy sees them."""

from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

from tests.exchanges import exchange
from vllm_gateway import codec
from vllm_gateway.exchange import Asked, Exchange
from vllm_gateway.routing.policies import Policy


@dataclass(eq=False)
class Candidate:
    """One replica."""

    weight: float = 1.0
    work: float = 0.0
    turn: float = 0.0
    name: str = ""
    others: int = 0
    returns: int = 0

    @property
    def load(self) -> float:
        """Its work for its weight."""
        return (self.work + self.others) / self.weight


WEIGHTS = st.floats(0.1, 10)
CANDIDATES = st.lists(
    st.builds(Candidate, WEIGHTS, st.integers(0, 160).map(lambda steps: steps / 16), st.integers(0, 50)), max_size=6
)


def named(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return them with names that tell them apart."""
    for number, candidate in enumerate(candidates):
        candidate.name = f"replica-{number}"
    return list(candidates)


def seen(policy: Policy, **fields: object) -> tuple[Exchange, Asked]:
    """Return an exchange that asks for a chat completion, and that the policy has looked at."""
    new = exchange(body=codec.dumps({"model": "m", **fields}))
    new.asked = new.operation.read(codec.dumps({"model": "m", **fields}))
    new.model = "m"
    policy.look(new, new.asked)
    return new, new.asked


def talk(*texts: str) -> list[dict[str, str]]:
    """Return what was said, the user and the assistant taking turns."""
    return [{"role": ("user", "assistant")[number % 2], "content": text} for number, text in enumerate(texts)]


def place(policy: Policy, candidates: Sequence[Candidate], times: int, new: Exchange | None = None) -> list[Candidate]:
    """Let a policy choose again and again, as the pool notes it, with no answer coming to its end."""
    if new is None:
        new, _ = seen(policy, messages=[])
        new.work = 1.0
    chosen, now_at = [], 0.0
    for _ in range(times):
        choice = policy.choose(candidates, new)
        choice.work += new.work
        now_at = max(now_at, choice.turn)
        choice.turn = now_at + 1 / choice.weight
        chosen.append(choice)
    return chosen
