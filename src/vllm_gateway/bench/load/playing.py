"""Making the load: callers ask in a closed or an open loop, and every request is measured."""

import asyncio
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field

from vllm_gateway.bench.load.arrivals import Closed, Open
from vllm_gateway.bench.load.caller import Aim, Caller, Nobody, Onlooker, Shared
from vllm_gateway.bench.load.own_cost import CostWatch, OwnCost
from vllm_gateway.bench.load.record import Record
from vllm_gateway.bench.prompts.conversation import Source
from vllm_gateway.clock import SystemClock
from vllm_gateway.tasks import Tasks

_LAST_STEP_S = 0.0012
"""Timers are exact to a millisecond; for the rest of the time to an arrival the clock is looked at."""
_MOST_EXACT_RATE_PER_S = 100.0
"""Above this rate that would cost too much of the core."""
_GRACE_S = 5.0
_now = SystemClock.now


@dataclass(frozen=True, slots=True)
class Load:
    """How much is asked, and how fast; one of the two bounds is needed."""

    arrivals: Closed | Open
    requests: int | None = None
    """Requests in all."""
    duration_s: float | None = None
    """How long new requests are begun; those under way may end."""
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Run:
    """What was measured of one load on one target."""

    records: list[Record]
    """In the order in which they were planned."""
    began_at: float
    ended_at: float
    cost: OwnCost = field(default_factory=OwnCost)

    @property
    def duration_s(self) -> float:
        """The time between the start and the end of the last answer."""
        return self.ended_at - self.began_at


async def play(load: Load, aim: Aim, source: Source, onlooker: Onlooker | None = None, *, first: int = 0) -> Run:
    """Make the load and return what was measured; conversations are drawn from number `first` on."""
    shared = Shared(aim, source, onlooker or Nobody(), first=first)
    watch, tasks = CostWatch(), Tasks("bench")
    if isinstance(load.arrivals, Closed):
        with suppress(OSError):  # if nobody listens, every request will say so
            await shared.connections.open(min(load.arrivals.concurrency, load.requests or load.arrivals.concurrency))
    watch.begin()
    began_at = _now()
    try:
        if isinstance(load.arrivals, Closed):
            await _closed(load, load.arrivals, shared, tasks, began_at)
        else:
            await _open(load, load.arrivals, shared, tasks, began_at)
    finally:
        await tasks.close()
        shared.connections.close()
    ended_at = _now()
    records = sorted(shared.records, key=lambda each: each.planned_at)
    return Run(records, began_at, ended_at, watch.end(records, shared.connections.opened))


async def _closed(load: Load, arrivals: Closed, shared: Shared, tasks: Tasks, began_at: float) -> None:
    """Let so many callers ask, each again as soon as it has its answer."""
    left = iter(range(load.requests)) if load.requests is not None else None

    async def ask_again_and_again() -> None:
        caller = Caller(shared)
        while load.duration_s is None or _now() < began_at + load.duration_s:
            if left is not None and next(left, None) is None:
                return
            await caller.ask()

    callers = [tasks.start(ask_again_and_again(), name=f"caller {n}") for n in range(arrivals.concurrency)]
    await asyncio.gather(*callers)


async def _open(load: Load, arrivals: Open, shared: Shared, tasks: Tasks, began_at: float) -> None:
    """Let a caller ask whenever one is due: one whose conversation can go on, or a new one."""
    idle: deque[Caller] = deque()

    async def ask(planned_at: float) -> None:
        caller = idle.popleft() if idle else Caller(shared)
        await caller.ask(planned_at)
        idle.append(caller)

    is_exact = arrivals.mean_rate_per_s <= _MOST_EXACT_RATE_PER_S
    for offset_s in arrivals.schedule(seed=load.seed, requests=load.requests, duration_s=load.duration_s):
        planned_at = began_at + offset_s
        await _sleep_until(planned_at, is_exact=is_exact)
        tasks.start(ask(planned_at), name="arrival")
    await tasks.finish(within_s=shared.aim.timeout_s + _GRACE_S)


async def _sleep_until(moment: float, *, is_exact: bool) -> None:
    left_s = moment - _now()
    if left_s > _LAST_STEP_S:
        await asyncio.sleep(left_s - _LAST_STEP_S if is_exact else left_s)
    while is_exact and _now() < moment:  # noqa: ASYNC110 - the clock tells nobody
        await asyncio.sleep(0)
