"""What becomes of limits when Redis does not answer: this gateway counts for itself until it does.

Rates and slots are then shared out evenly among the gateways that were there last. Budgets let nobody in: nothing is
spent unchecked. What was reserved in Redis and ends meanwhile is not settled: its lease runs out, and then it counts as
what it has used at least.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol
from uuid import uuid4

from vllm_gateway.admission.limits.limiter import AwaitedLimiter, LimiterAway, Reserved
from vllm_gateway.admission.limits.meters import Kind, Meter
from vllm_gateway.errors import BudgetUnchecked
from vllm_gateway.tasks import Tasks

log = logging.getLogger(__name__)

ERRORS_IN_A_ROW = 5
"""So many, and Redis is not asked any more until it answers a question that no request waits for."""
ANNOUNCE_S = 1.0
_OPENING_ASKS = 2
"""The first may be late because it has the way to Redis opened."""
_SENTENCE = "The tokens that are left cannot be counted right now. Try again in a moment."
_RETRY_AFTER_S = 5.0


class SharedLimiter(AwaitedLimiter, Protocol):
    """Counts for all gateways together, and can fail: every operation may raise `LimiterAway`."""

    async def announce(self, gateway: str) -> int:
        """Say that a gateway is there; return how many there are."""
        ...

    async def leave(self, gateway: str) -> None:
        """Say that a gateway goes."""
        ...

    def forget(self, name: str) -> None:
        """Prolong the slots of a request no more."""
        ...


class FallbackLimiter:
    """Asks the shared limiter while that answers, and the local one otherwise."""

    def __init__(self, shared: SharedLimiter, local: AwaitedLimiter, *, gateways: int = 1) -> None:
        """Share with so many `gateways` at least, be it that Redis never told of them."""
        self._shared = shared
        self._own = local
        self._gateway = uuid4().hex
        self._least = self._gateways = gateways
        self._errors = 0
        self._last_cause: BaseException | None = None
        self._is_away = False
        self._local: dict[str, tuple[Meter, ...]] = {}
        """The requests that were let in locally, with the meters that counted for them."""
        self._tasks = Tasks("limits")
        self.counters: Counter[str] = shared.counters

    async def open(self) -> None:
        """Go to Redis and tell it of this gateway, so that neither is left to the first requests; go on telling it."""
        for _ in range(_OPENING_ASKS):
            await self._ask()
        self._tasks.start(self._keep_in_touch(), name="keep in touch")

    def reserve_now(self, name: str, meters: Sequence[Meter], tokens: int) -> None:
        """Do nothing: all gateways count together."""

    async def reserve(self, name: str, meters: Sequence[Meter], tokens: int = 0, *, least_tokens: int = 0) -> Reserved:
        """Take what a request wants of all meters, or nothing of any.

        Raises:
            BudgetUnchecked: one of them is a budget, and Redis does not answer.
        """
        if not self._is_away:
            try:
                reserved = await self._shared.reserve(name, meters, tokens, least_tokens=least_tokens)
            except LimiterAway as fault:
                self._failed(fault)
            else:
                self._errors = 0
                return reserved
        return await self._reserve_locally(name, meters, tokens)

    def settle_now(self, name: str, meters: Sequence[Meter], used_tokens: int | None, *, is_charged: bool) -> bool:  # noqa: ARG002 - somebody has to be asked
        """Do nothing: all gateways count together."""
        return False

    async def settle(self, name: str, meters: Sequence[Meter], used_tokens: int | None, *, is_charged: bool) -> None:
        """Put a request's account right, where it was opened; in Redis only while that answers."""
        mine = self._local.pop(name, None)
        if mine is not None:
            await self._own.settle(name, mine, used_tokens, is_charged=is_charged)
        elif self._is_away:
            self._shared.forget(name)
            self.counters["unsettled"] += 1
        else:
            try:
                await self._shared.settle(name, meters, used_tokens, is_charged=is_charged)
            except LimiterAway as fault:
                self.counters["unsettled"] += 1
                self._failed(fault)

    async def extend(self, name: str, meters: Sequence[Meter], tokens: int) -> bool:
        """Reserve more tokens, unless a budget does not have them. What cannot be asked does not end an answer."""
        mine = self._local.get(name)
        if mine is not None:
            return await self._own.extend(name, mine, tokens)
        if not self._is_away:
            try:
                return await self._shared.extend(name, meters, tokens)
            except LimiterAway as fault:
                self._failed(fault)
        self.counters["fail_open"] += 1
        return True

    async def close(self) -> None:
        """Leave the other gateways, and close both limiters."""
        await self._tasks.close()
        if not self._is_away:
            try:
                await self._shared.leave(self._gateway)
            except LimiterAway:
                log.debug("the other gateways will miss this one in a while")
        await self._shared.close()
        await self._own.close()

    async def _reserve_locally(self, name: str, meters: Sequence[Meter], tokens: int) -> Reserved:
        if any(meter.kind is Kind.BUDGET for meter in meters):
            self.counters["fail_closed"] += 1
            raise BudgetUnchecked(_SENTENCE, retry_after_s=_RETRY_AFTER_S)
        self.counters["fail_open"] += 1
        mine = tuple(_share(meter, self._gateways) for meter in meters)
        reserved = await self._own.reserve(name, mine, _share_of_tokens(tokens, meters, mine))
        if reserved.is_admitted:
            self._local[name] = mine
        return reserved

    def _failed(self, fault: LimiterAway) -> None:
        self.counters["redis_errors"] += 1
        if fault.__cause__ is None or fault.__cause__ is not self._last_cause:  # what breaks one round fails many
            self._errors += 1
        self._last_cause = fault.__cause__
        if self._errors >= ERRORS_IN_A_ROW and not self._is_away:
            self._is_away = True
            log.error("limits are counted by this gateway alone: redis does not work: %s", fault)

    async def _keep_in_touch(self) -> None:
        """Announce this gateway again and again; the answer tells that Redis is back, and no request waits for it."""
        while True:
            await asyncio.sleep(ANNOUNCE_S)
            await self._ask()

    async def _ask(self) -> None:
        try:
            self._gateways = max(self._least, await self._shared.announce(self._gateway))
        except LimiterAway as fault:
            self._failed(fault)
            return
        self._errors = 0
        if self._is_away:
            self._is_away = False
            log.warning("limits are counted in redis again")


def _share(meter: Meter, gateways: int) -> Meter:
    """Return one gateway's share."""
    return replace(meter, amount=max(1, meter.amount // gateways))


def _share_of_tokens(tokens: int, meters: Sequence[Meter], shares: Sequence[Meter]) -> int:
    """Return what a request takes of the shares: one that is larger, but not than the whole, takes all of the least."""
    whole = min((meter.amount for meter in meters if meter.is_of_tokens), default=0)
    least = min((meter.amount for meter in shares if meter.is_of_tokens), default=0)
    return tokens if tokens > whole else min(tokens, least)
