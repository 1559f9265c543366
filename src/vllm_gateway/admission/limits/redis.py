"""Limits counted in Redis or Valkey, by all gateways together.

All keys carry one hash tag, because the meters of a request must lie together: in a cluster one node counts for all.
It has time for some ten thousand requests per second; whoever needs more needs one Redis per group of gateways.
"""

import asyncio
import logging
import math
from collections import Counter
from collections.abc import Awaitable, Sequence
from typing import Any

from vllm_gateway.admission.limits import gcra, redis_scripts
from vllm_gateway.admission.limits.limiter import Left, LimiterAway, Reserved
from vllm_gateway.admission.limits.meters import Kind, Meter
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
_OPEN_FOR_S = 86_400
"""How long a request may stay open."""
_RELEASED_AT_ONCE = 100
_RENEWED_AT_ONCE = 200
_PREFIX = "{vllm-gateway:1:limits}:"
_GATEWAYS = f"{_PREFIX}gateways"
_LEASED = f"{_PREFIX}leased"
_HELD = f"{_PREFIX}held"
_MICROSECONDS = 1_000_000


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
        self._leases: dict[str, list[str]] = {}
        """Of every request that holds slots or tokens: where."""
        self._releases_from = 0.0
        """When every gateway that lives has prolonged what it holds, should all have been out of touch."""
        script = self._redis.register_script
        self._reserve = script(redis_scripts.RESERVE)
        self._settle = script(redis_scripts.SETTLE)
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
        first: list[str | int] = [name, self._lease_us, _OPEN_FOR_S]
        wish = self._reserve(_keys(name, meters), [*first, *_arguments(meters, tokens), least_tokens, _LEASED, _HELD])
        task = self._start(wish, "reserve")
        try:
            reserved = _reserved(await self._within_limit(task), meters, tokens)
        except (LimiterAway, asyncio.CancelledError):
            task.add_done_callback(lambda done: self._undo(done, name, meters))
            raise
        if reserved.is_admitted and (leases := _leases(meters)):
            self._leases[name] = leases
            self._renew_from_now_on()
        return reserved

    async def settle(self, name: str, meters: Sequence[Meter], used_tokens: int | None, *, is_charged: bool) -> None:
        """Put a request's account right and free its slots; only once for each request.

        Raises:
            LimiterAway: Redis did not answer, or not in time.
        """
        self._leases.pop(name, None)
        await self._within_limit(
            self._start(self._settling(name, meters, used_tokens, is_charged=is_charged), "settle")
        )

    async def extend(self, name: str, meters: Sequence[Meter], tokens: int) -> bool:
        """Reserve more tokens, unless a budget does not have them.

        Raises:
            LimiterAway: Redis did not answer, or not in time.
        """
        wish = self._extend(_keys(name, meters), ["", "", tokens, *_arguments(meters, 0)])
        return bool(await self._within_limit(self._start(wish, "extend")))

    async def renew(self, names: Sequence[str]) -> None:
        """Prolong what these requests hold, as far as they are not settled."""
        held = [(name, lease) for name in names for lease in self._leases.get(name, ())]
        for start in range(0, len(held), _RENEWED_AT_ONCE):
            part = held[start : start + _RENEWED_AT_ONCE]
            keys = [key for name, lease in part for key in (_open_key(name), lease)]
            await self._start(self._renew(keys, [self._lease_us, _LEASED, *(name for name, _ in part)]), "renew")

    def forget(self, name: str) -> None:
        """Prolong what a request holds no more: it ends, and that cannot be told."""
        self._leases.pop(name, None)

    async def announce(self, gateway: str) -> int:
        """Say that a gateway is there; return how many there are. Settle what those that are gone have left open.

        Raises:
            LimiterAway: Redis did not answer, or not in time.
        """
        wish = self._announce([_GATEWAYS], [gateway, round(GATEWAY_S * _MICROSECONDS)])
        now = asyncio.get_running_loop().time()
        try:
            there = int(await self._within_limit(self._start(wish, "announce")))
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
        await self._within_limit(self._start(self._redis.zrem(_GATEWAYS, gateway), "leave"))

    async def close(self) -> None:
        """Let what is under way come to its end, and close the connections."""
        if self._renewing is not None:
            self._renewing.cancel()
        await self._tasks.finish(within_s=_CLOSE_S)
        await self._redis.aclose()

    async def _release_abandoned(self) -> None:
        wish = self._release([_LEASED, _HELD], [_RELEASED_AT_ONCE, _open_key(""), _OPEN_FOR_S])
        released = int(await self._within_limit(self._start(wish, "release")))
        if released:
            self.counters["abandoned"] += released
            log.warning("settled %d requests of gateways that are gone, each for its prompt", released)

    def _settling(
        self, name: str, meters: Sequence[Meter], used_tokens: int | None, *, is_charged: bool
    ) -> Awaitable[Any]:
        used = "" if used_tokens is None else used_tokens
        return self._settle(_keys(name, meters), [name, int(is_charged), used, *_arguments(meters, 0), _LEASED, _HELD])

    def _start(self, command: Awaitable[Any], what: str) -> "asyncio.Task[Any]":
        return self._tasks.start(_ended(command), name=what)

    async def _within_limit(self, task: "asyncio.Task[Any]") -> Any:  # noqa: ANN401 - what a script answers
        """Return what a command gives; whoever leaves or loses patience leaves it running."""
        if not await is_answered(task, within_s=self._limit_s):
            raise LimiterAway("no answer in time")
        answer = task.result()
        if isinstance(answer, LimiterAway):
            raise answer
        return answer

    def _undo(self, task: "asyncio.Task[Any]", name: str, meters: Sequence[Meter]) -> None:
        """Give back what was reserved for a request that did not wait for it."""
        answer = None if task.cancelled() else task.result()
        if isinstance(answer, list) and int(answer[0]) == 0:
            self.counters["undone"] += 1
            self._start(self._settling(name, meters, 0, is_charged=False), "undo")

    def _renew_from_now_on(self) -> None:
        if self._renewing is None:
            self._renewing = self._tasks.start(self._keep_renewing(), name="renew leases")

    async def _keep_renewing(self) -> None:
        while True:
            await asyncio.sleep(self._lease_s / 3)
            await self.renew(list(self._leases))


async def _ended(command: Awaitable[Any]) -> Any:  # noqa: ANN401 - what a script answers
    """Return what a command gives, or that it failed: nobody may be left to whom that could be raised."""
    try:
        return await command
    except FAULTS as fault:
        away = LimiterAway(type(fault).__name__)
        away.__cause__ = fault
        return away


def _reserved(answer: list[Any], meters: Sequence[Meter], tokens: int) -> Reserved:
    refused, wait_us = int(answer[0]), float(answer[1])
    left = tuple(
        Left(gcra.remaining(float(used), meter.amount), float(reset_us) / _MICROSECONDS)
        for meter, used, reset_us in zip(meters, answer[2::2], answer[3::2], strict=True)
    )
    if refused == 0:
        return Reserved(left)
    is_beyond = meters[refused - 1].cost(tokens) > meters[refused - 1].amount
    return Reserved(left, refused - 1, math.inf if is_beyond else wait_us / _MICROSECONDS)


def _keys(name: str, meters: Sequence[Meter]) -> list[str]:
    return [_open_key(name), *map(_key, meters)]


def _open_key(name: str) -> str:
    return f"{_PREFIX}open:{name}"


def _key(meter: Meter) -> str:
    return _PREFIX + meter.key


def _leases(meters: Sequence[Meter]) -> list[str]:
    """Return where what a request has taken is leased."""
    slots = [_key(meter) for meter in meters if meter.kind is Kind.SLOTS]
    return [*slots, _LEASED] if any(meter.is_of_tokens for meter in meters) else slots


def _arguments(meters: Sequence[Meter], tokens: int) -> list[str | int]:
    return [part for meter in meters for part in _argument(meter, tokens)]


def _argument(meter: Meter, tokens: int) -> tuple[str | int, ...]:
    if meter.kind is Kind.RATE:
        kind = "t" if meter.is_of_tokens else "q"
    else:
        kind = "b" if meter.kind is Kind.BUDGET else "s"
    return kind, meter.amount, round(meter.window_s * _MICROSECONDS), meter.cost(tokens)
