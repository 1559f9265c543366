"""What every limiter promises."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from vllm_gateway.admission.limits.meters import Meter

SLOT_RETRY_S = 1.0
"""When to try again for a slot: nobody knows when one is given up."""


class LimiterAway(Exception):
    """The place where limits are counted did not answer, or not in time."""


Left = tuple[int, float]
"""What is left of one meter, and the seconds until all of it is there again."""


class Reserved(NamedTuple):
    """What became of a request's wish."""

    left: Sequence[Left]
    """Of every meter, in their order."""
    refused_by: int | None = None
    """The meter for which the wait is longest, where the request does not fit."""
    retry_after_s: float = 0.0
    """How long that wait is; infinity where the request will never fit."""

    @property
    def is_admitted(self) -> bool:
        """Say whether the request may go on."""
        return self.refused_by is None


class AwaitedLimiter(Protocol):
    """Counts what is used. Each request has an id that no other ever had."""

    counters: Counter[str]
    """How often the limiter could not do what it is there for, by what it did instead."""

    async def open(self) -> None:
        """Get ready, within a moment; what is not there yet is no obstacle."""
        ...

    async def reserve(self, name: str, meters: Sequence[Meter], tokens: int = 0, *, least_tokens: int = 0) -> Reserved:
        """Take what the request `name`, which may come to `tokens`, wants of all `meters`, or nothing of any.

        Should nobody be left who could settle it, it has used `least_tokens`.
        """
        ...

    async def settle(self, name: str, meters: Sequence[Meter], used_tokens: int | None, *, is_charged: bool) -> None:
        """Give back what was reserved and not used, and charge what was used beyond it.

        None says that nobody knows what was used: what was reserved counts. A request that is not charged has cost
        nothing at all. Only the first settlement of a request does anything.
        """
        ...

    async def extend(self, name: str, meters: Sequence[Meter], tokens: int) -> bool:
        """Reserve more tokens for a request that is under way; False when a budget does not have them.

        Rates let it go on: they make whoever comes next wait longer.
        """
        ...

    async def close(self) -> None:
        """Come to an end with what is under way."""
        ...


class Limiter(AwaitedLimiter, Protocol):
    """Counts at once where that needs nobody else: what is never waited for costs less when it is not awaited."""

    def reserve_now(self, name: str, meters: Sequence[Meter], tokens: int) -> Reserved | None:
        """Do what `reserve` does, at once; None where somebody has to be asked, and nothing is done."""
        ...

    def settle_now(self, name: str, meters: Sequence[Meter], used_tokens: int | None, *, is_charged: bool) -> bool:
        """Do what `settle` does, at once; False where somebody has to be asked, and nothing is done."""
        ...
