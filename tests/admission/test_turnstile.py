"""Waiting for a replica that has room."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from tests.waiting import until
from vllm_gateway.admission.turnstile import Turnstile, Who
from vllm_gateway.callers import Priority
from vllm_gateway.clock import SystemClock
from vllm_gateway.errors import QueueFull, QueueTimeout, ReplicasUnusable
from vllm_gateway.settings.admission import Queue


@dataclass(eq=False)
class Replica:
    """One that can answer so many at once."""

    name: str = "a"
    room: int = 1
    outstanding: int = 0
    is_usable: bool = True

    @property
    def has_room(self) -> bool:
        """It may be asked one thing more."""
        return self.is_usable and self.outstanding < self.room


def who(caller: str = "ann", *, is_again: bool = False) -> Who:
    """Return somebody."""
    return Who(caller, Priority.STANDARD, is_again=is_again)


async def wait(granted: "asyncio.Future[Replica]") -> Replica:
    """Wait as nobody in particular."""
    return await granted


def first(free: Sequence[Replica]) -> Replica:
    """Choose the first."""
    return free[0]


def turnstile(**settings: float) -> Turnstile[Replica]:
    """Return one."""
    return Turnstile(Queue.model_validate(settings), clock=SystemClock())


def entering(gate: Turnstile[Replica], caller: str, *replicas: Replica) -> "asyncio.Task[Replica]":
    """Want to go on."""
    return asyncio.get_running_loop().create_task(gate.enter(who(caller), replicas, first, wait))


async def test_who_finds_room_does_not_wait() -> None:
    """The place is taken at once."""
    gate, replica = turnstile(), Replica()
    assert await gate.enter(who(), [replica], first, wait) is replica
    assert (replica.outstanding, gate.waiting, gate.waits) == (1, 0, 0)


async def test_a_place_that_is_given_back_goes_to_who_waits() -> None:
    """And is never given twice."""
    gate, replica = turnstile(), Replica()
    await gate.enter(who(), [replica], first, wait)
    tasks = [entering(gate, "bob", replica) for _ in range(3)]
    await until(lambda: gate.waiting == 3)
    gate.leave(who(), replica, 10)
    await until(lambda: any(task.done() for task in tasks))
    assert (sum(task.done() for task in tasks), replica.outstanding, gate.waiting) == (1, 1, 2)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    assert gate.waiting == 0


async def test_newcomers_do_not_overtake() -> None:
    """A place that came about in some other way is for who waits, not for who comes."""
    gate, replica = turnstile(), Replica()
    await gate.enter(who(), [replica], first, wait)
    waiting = entering(gate, "bob", replica)
    await until(lambda: gate.waiting == 1)
    replica.room = 2
    late = entering(gate, "cid", replica)
    assert await waiting is replica
    assert not late.done()
    gate.leave(who(), replica, 10)
    assert await late is replica


async def test_a_full_queue_refuses_at_once() -> None:
    """With a thousand waiting it takes less than 50 ms, and tells when to come again."""
    gate, replica = turnstile(size=1000), Replica()
    await gate.enter(who(), [replica], first, wait)
    tasks = [entering(gate, f"caller-{number}", replica) for number in range(1000)]
    await until(lambda: gate.waiting == 1000)
    took_s = []
    for _ in range(5):
        began = time.process_time()
        with pytest.raises(QueueFull) as full:
            await gate.enter(who("late"), [replica], first, wait)
        took_s.append(time.process_time() - began)
    assert min(took_s) < 0.05
    assert full.value.retry_after_s is not None
    assert 1 <= full.value.retry_after_s <= 60
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def test_nobody_waits_longer_than_may_be() -> None:
    """Then the place in the queue is gone."""
    gate, replica = turnstile(wait_s=0.05), Replica()
    await gate.enter(who(), [replica], first, wait)
    with pytest.raises(QueueTimeout):
        await gate.enter(who("bob"), [replica], first, wait)
    assert gate.waiting == 0


async def test_who_leaves_in_the_moment_of_its_turn_loses_no_place() -> None:
    """What was just given goes to the next."""
    gate, replica = turnstile(), Replica()
    await gate.enter(who(), [replica], first, wait)
    one, other = entering(gate, "bob", replica), entering(gate, "cid", replica)
    await until(lambda: gate.waiting == 2)
    gate.leave(who(), replica, 10)
    one.cancel()
    await asyncio.wait([one])
    assert await other is replica
    assert replica.outstanding == 1


async def test_who_is_here_again_goes_first() -> None:
    """Its replica failed; it has waited already."""
    gate, replica = turnstile(), Replica()
    await gate.enter(who(), [replica], first, wait)
    waiting = entering(gate, "bob", replica)
    await until(lambda: gate.waiting == 1)
    again = asyncio.get_running_loop().create_task(gate.enter(who("cid", is_again=True), [replica], first, wait))
    await until(lambda: gate.waiting == 2)
    gate.leave(who(), replica, None)
    assert await again is replica
    assert not waiting.done()
    waiting.cancel()
    await asyncio.wait([waiting])


async def test_waiting_for_one_replica_holds_nobody_up_before_another() -> None:
    """Requests of another model go past those that wait for theirs."""
    gate, busy, free = turnstile(), Replica("busy"), Replica("free")
    await gate.enter(who(), [busy], first, wait)
    waiting = entering(gate, "bob", busy)
    await until(lambda: gate.waiting == 1)
    assert await entering(gate, "cid", free) is free
    waiting.cancel()
    await asyncio.wait([waiting])


async def test_when_all_replicas_are_gone_nobody_waits_on() -> None:
    """They are told at the next look."""
    gate, replica = turnstile(), Replica()
    await gate.enter(who(), [replica], first, wait)
    waiting = entering(gate, "bob", replica)
    await until(lambda: gate.waiting == 1)
    replica.is_usable = False
    gate.look(replica)
    with pytest.raises(ReplicasUnusable):
        await waiting
    assert gate.waiting == 0


async def test_what_ends_a_wait_does_not_matter() -> None:
    """Whoever cannot be written to any more does not stay in the queue, where it would be given a place."""
    gate, replica = turnstile(), Replica()
    await gate.enter(who(), [replica], first, wait)

    async def broken(_: "asyncio.Future[Replica]") -> Replica:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await gate.enter(who("bob"), [replica], first, broken)
    gate.leave(who(), replica, 10)
    assert (gate.waiting, replica.outstanding) == (0, 0)


async def test_in_the_end_everybody_has_paid_what_was_used() -> None:
    """However wrong the guess was when a request went, and however it changed until the end."""
    gate, replica = turnstile(), Replica(room=100)
    for _ in range(20):
        for caller in ("ann", "bob"):
            await gate.enter(who(caller), [replica], first, wait)
    for number in range(20):
        gate.leave(who("ann"), replica, 4000 if number % 2 else 8)
        gate.leave(who("bob"), replica, 2004)
    served = gate._queue._served
    assert served["ann"] == pytest.approx(served["bob"])
    assert served["ann"] == pytest.approx(20 * 2004 / 4)


async def test_another_queue_can_be_taken_over() -> None:
    """Its size holds for the next who comes; who waits already waits on."""
    turnstile: Turnstile[Replica] = Turnstile(Queue(size=1), clock=SystemClock())
    full = Replica()
    await turnstile.enter(who(), [full], first, wait)
    waiting = asyncio.get_running_loop().create_task(turnstile.enter(who(), [full], first, wait))
    await until(lambda: turnstile.waiting == 1)
    with pytest.raises(QueueFull):
        await turnstile.enter(who(), [full], first, wait)
    turnstile.take_over(Queue(size=2, wait_s=0.01))
    with pytest.raises(QueueTimeout):
        await turnstile.enter(who(), [full], first, wait)
    turnstile.leave(who(), full, None)
    assert await waiting is full
