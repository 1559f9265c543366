"""Limits counted in Redis or Valkey, by all gateways together.

All keys carry one hash tag, because the meters of a request must lie together: in a cluster one node counts for all.
It has time for some ten thousand requests per second; whoever needs more needs one Redis per group of gateways.
"""

import asyncio
import logging
import math
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from vllm_gateway.admission.limits import gcra, redis_scripts
from vllm_gateway.admission.limits.limiter import LimiterAway, Reserved
from vllm_gateway.admission.limits.meters import Meter
from vllm_gateway.admission.limits.redis_rounds import OPEN_FOR_S, Rounds
from vllm_gateway.admission.limits.redis_scripts import HELD, LEASED, PREFIX, leases, meter_key, open_key, told
from vllm_gateway.state.redis import FAULTS, connect, is_answered
from vllm_gateway.tasks import Tasks

log = logging.getLogger(__name__)

LIMIT_S = 0.05
"""How long a request waits for an answer."""
LEASE_S = 27.0
"""How long what a request has taken outlives its gateway."""
GATEWAY_S = 30.0
"""How long a gateway that says nothing more still counts as one."""
_WAIT_S = 1.0
_CLOSE_S = 2.0
_RELEASED_AT_ONCE = 100
_RENEWED_AT_ONCE = 200
_GATEWAYS = f"{PREFIX}gateways"
_MICROSECONDS = 1_000_000
_ADMITTED = "0 "
"""What the answer to a reservation begins with when no meter refuses."""


class RedisLimiter:
    """Counts in Redis. An answer that does not come in time is not waited for, but no command is ever broken off.

    A command that is cut off half way would leave its answer to whoever uses the connection next. It goes on without
    the one who asked; what it then still reserves is given back at once.
    """

    def __init__(self, url: str, *, limit_s: float = LIMIT_S, lease_s: float = LEASE_S) -> None:
        self._redis = connect(url, wait_s=_WAIT_S)
        self._limit_s = limit_s
        self._lease_us = round(lease_s * _MICROSECONDS)
        self._lease_s = lease_s
        self._tasks = Tasks("limits in redis")
        self._renewing: asyncio.Task[None] | None = None
        self._leases: dict[str, Sequence[Meter]] = {}
        """The meters of every request that is open."""
        self._releases_from = 0.0
        """When every gateway that lives has prolonged what it holds, should all have been out of touch."""
        script = self._redis.register_script
        self._rounds = Rounds(script(redis_scripts.COUNT), limit_s=limit_s, lease_us=self._lease_us, tasks=self._tasks)
        self._extend = script(redis_scripts.EXTEND)
        self._renew = script(redis_scripts.RENEW)
        self._announce = script(redis_scripts.ANNOUNCE)
        self._release = script(redis_scripts.RELEASE)
        self.counters: Counter[str] = Counter()

    async def open(self) -> None:
        """Do nothing: the first command opens the way."""

    async def reserve(self, name: str, meters: Sequence[Meter], tokens: int = 0, *, least_tokens: int = 0) -> Reserved:
        """Take what a request wants of all meters, or nothing of any.

        Raises:
            LimiterAway: Redis did not answer, or not in time.
        """
        text = f"r\n{name}\n{tokens}\n{least_tokens}"
        answer = self._rounds.ask(text, name, meters, lambda late: self._undo(late, name, meters))
        try:
            reserved = _reserved(await answer, meters, tokens)
        except asyncio.CancelledError:
            if not answer.cancelled() and answer.exception() is None:  # it came as the caller left
                self._undo(answer.result(), name, meters)
            raise
        if reserved.refused_by is None:
            self._leases[name] = meters
            self._renew_from_now_on()
        return reserved

    async def settle(self, name: str, meters: Sequence[Meter], used_tokens: int | None, *, is_charged: bool) -> None:
        """Put a request's account right and free its slots; only once for each request.

        Raises:
            LimiterAway: Redis did not answer, or not in time.
        """
        self._leases.pop(name, None)
        await self._rounds.ask(_settlement(name, used_tokens, is_charged=is_charged), name, meters)

    async def extend(self, name: str, meters: Sequence[Meter], tokens: int) -> bool:
        """Reserve more tokens, unless a budget does not have them.

        Raises:
            LimiterAway: Redis did not answer, or not in time.
        """
        keys = [open_key(name), *map(meter_key, meters)]
        told_of_all = [each for meter in meters for each in told(meter)]
        return bool(await self._within_limit(self._start("extend", self._extend, keys, [tokens, *told_of_all])))

    async def renew(self, names: Sequence[str]) -> None:
        """Prolong what these requests hold, as far as they are not settled."""
        held = [(name, lease) for name in names for lease in leases(self._leases.get(name, ()))]
        for start in range(0, len(held), _RENEWED_AT_ONCE):
            part = held[start : start + _RENEWED_AT_ONCE]
            keys = [key for name, lease in part for key in (open_key(name), lease)]
            names_of = [name for name, _ in part]
            await self._start("renew", self._renew, keys, [self._lease_us, LEASED, *names_of])

    def forget(self, name: str) -> None:
        """Prolong what a request holds no more: it ends, and that cannot be told."""
        self._leases.pop(name, None)

    async def announce(self, gateway: str) -> int:
        """Say that a gateway is there; return how many there are. Settle what those that are gone have left open.

        Raises:
            LimiterAway: Redis did not answer, or not in time.
        """
        lasts_us = round(GATEWAY_S * _MICROSECONDS)
        now = asyncio.get_running_loop().time()
        try:
            task = self._start("announce", self._announce, [_GATEWAYS], [gateway, lasts_us])
            there = int(await self._within_limit(task))
        except LimiterAway:
            self._releases_from = now + self._lease_s
            raise
        if now >= self._releases_from:
            await self._release_abandoned()
        return there

    async def leave(self, gateway: str) -> None:
        """Say that a gateway goes.

        Raises:
            LimiterAway: Redis did not answer, or not in time.
        """
        await self._within_limit(self._start("leave", self._redis.zrem, _GATEWAYS, gateway))

    async def close(self) -> None:
        """Let what is under way come to its end, and close the connections."""
        if self._renewing is not None:
            self._renewing.cancel()
        await self._tasks.finish(within_s=_CLOSE_S)
        await self._redis.aclose()

    async def _release_abandoned(self) -> None:
        most = [_RELEASED_AT_ONCE, open_key(""), OPEN_FOR_S]
        released = int(await self._within_limit(self._start("release", self._release, [LEASED, HELD], most)))
        if released:
            self.counters["abandoned"] += released
            log.warning("settled %d requests of gateways that are gone, each for its prompt", released)

    def _start(self, what: str, command: Callable[..., Awaitable[Any]], *arguments: Any) -> "asyncio.Task[Any]":  # noqa: ANN401 - a command's own
        return self._tasks.start(_ended(command, *arguments), name=what)

    async def _within_limit(self, task: "asyncio.Task[Any]") -> Any:  # noqa: ANN401 - what a script answers
        """Return what a command gives; whoever leaves or loses patience leaves it running."""
        if not await is_answered(task, within_s=self._limit_s):
            raise LimiterAway("no answer in time")
        answer = task.result()
        if isinstance(answer, LimiterAway):
            raise answer
        return answer

    def _undo(self, answer: str, name: str, meters: Sequence[Meter]) -> None:
        """Give back what was reserved for a request that did not wait for it."""
        if answer.startswith(_ADMITTED):
            self.counters["undone"] += 1
            settled = self._rounds.ask(_settlement(name, 0, is_charged=False), name, meters)
            settled.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody is there to be told

    def _renew_from_now_on(self) -> None:
        if self._renewing is None:
            self._renewing = self._tasks.start(self._keep_renewing(), name="renew leases")

    async def _keep_renewing(self) -> None:
        while True:
            await asyncio.sleep(self._lease_s / 3)
            await self.renew(list(self._leases))


async def _ended(command: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:  # noqa: ANN401 - a command's own
    """Return what a command gives, or that it failed: nobody may be left to whom that could be raised."""
    try:
        return await command(*arguments)
    except FAULTS as fault:
        away = LimiterAway(type(fault).__name__)
        away.__cause__ = fault
        return away


def _settlement(name: str, used_tokens: int | None, *, is_charged: bool) -> str:
    return f"s\n{name}\n{int(is_charged)}\n{'-' if used_tokens is None else used_tokens}"


def _reserved(answer: str, meters: Sequence[Meter], tokens: int) -> Reserved:
    numbers = [float(number) for number in answer.split(" ")]
    left = [
        (gcra.remaining(used, meter.amount), reset_us / _MICROSECONDS)
        for meter, used, reset_us in zip(meters, numbers[2::2], numbers[3::2], strict=True)
    ]
    if answer.startswith(_ADMITTED):
        return Reserved(left)
    place = int(numbers[0]) - 1
    is_beyond = meters[place].cost(tokens) > meters[place].amount
    return Reserved(left, place, math.inf if is_beyond else numbers[1] / _MICROSECONDS)
