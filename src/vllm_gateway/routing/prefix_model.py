"""What one replica's prefix cache most likely holds: learned from what it was asked, without asking it."""

from collections.abc import Sequence

from vllm_gateway.exchange import Usage

_LEARNING = 1 / 16
"""What one answer counts for in the estimate of how often the model is right."""
_ENOUGH = 0.5
"""It was right when so much of what it promised was there: replicas cut their blocks elsewhere than the gateway."""


class PrefixModel:
    """The blocks that a replica has seen lately; `most_blocks` of them at most.

    They are kept in two generations. New ones, and old ones that are used again, join the young generation; when it has
    half of what may be kept, it becomes the old one, and the one before is forgotten. So what was used within the last
    `most_blocks / 2` blocks is known, and a whole prompt is learned, and forgotten, in one call.

    Whoever is in a generation came with all the blocks before it, and so a prompt is known up to one place.
    """

    __slots__ = ("_half", "_is_telling", "_old", "_young", "returns", "trust")

    def __init__(self, most_blocks: int, *, returns: int = 0) -> None:
        self.returns = returns
        """How often the replica had come in when this began to be true of it."""
        self._half = most_blocks // 2
        self._young: set[int] = set()
        self._old: set[int] = set()
        self._is_telling = False
        self.trust = 1.0
        """How often it was right of late, from 0 to 1."""

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def knows(self, block: int) -> bool:
        """Say whether any prompt with this block was there lately."""
        return block in self._young or block in self._old

    def known(self, blocks: Sequence[int]) -> int:
        """Return how many blocks at the beginning of a prompt are likely to be there."""
        young, old = self._young, self._old
        low, high = 0, len(blocks)
        while low < high:
            middle = (low + high) // 2
            if blocks[middle] in young or blocks[middle] in old:
                low = middle + 1
            else:
                high = middle
        return low

    def add(self, blocks: Sequence[int]) -> None:
        """Note that the replica is to read a prompt; of a very long one, only the beginning is kept."""
        if len(blocks) > self._half:
            blocks = blocks[: self._half]
        if len(self._young) + len(blocks) > self._half:
            self._old, self._young = self._young, set()
        self._young.update(blocks)

    def learn(self, usage: Usage, share: float) -> None:
        """Compare what was expected with what an answer says was there.

        A replica that has never told of a cached token is believed: many are not set to tell.

        Args:
            usage: The usage of the answer.
            share: The part of the prompt that was expected to be there, above 0.
        """
        if usage.cached_tokens > 0:
            self._is_telling = True
        elif not self._is_telling:
            return
        is_right = usage.cached_tokens >= _ENOUGH * share * usage.prompt_tokens
        self.trust += (is_right - self.trust) * _LEARNING
