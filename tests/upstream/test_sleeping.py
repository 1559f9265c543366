"""Replicas that sleep."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.exchanges import exchange
from tests.upstream.test_answers import Notes
from tests.waiting import until
from tests.wire.sims import fast
from vllm_gateway import codec
from vllm_gateway.clock import HandClock, SystemClock
from vllm_gateway.errors import ReplicaFailed, ReplicaSilent
from vllm_gateway.settings.model import Upstream
from vllm_gateway.sim import RunningSim, start
from vllm_gateway.upstream.asking import ask
from vllm_gateway.upstream.connection import ConnectionFault
from vllm_gateway.upstream.deadlines import Deadlines
from vllm_gateway.upstream.heartbeat import COMMENT
from vllm_gateway.upstream.replica import Replica
from vllm_gateway.upstream.sharing import Sharing
from vllm_gateway.upstream.sleeping import Waking, awake_first, has_no_weights, look, sleep_state

RECORDED = Path(__file__).parents[1] / "recordings" / "vllm-0.32.0" / "metrics.json"


def replica_at(url: str, *, name: str = "default-1") -> Replica:
    """Return a replica that may be woken."""
    return Replica(name, Upstream(url=url, wake_on_request=True), clock=SystemClock(), connect_s=1)


def alone() -> Sharing:
    """Return what is shared where every replica has an accelerator of its own."""
    return Sharing(list, look=look, least_awake_s=0, clock=SystemClock())


@asynccontextmanager
async def sleeper(*, level: int = 1, dev_mode: bool = True) -> AsyncIterator[tuple[RunningSim, Replica]]:
    """Run a sim that was put to sleep, and what the gateway knows of it."""
    sim = await start(fast(dev_mode=dev_mode))
    replica = replica_at(sim.url)
    try:
        await ask(replica, b"POST", f"/sleep?level={level}")
        await look(replica)
        yield sim, replica
    finally:
        replica.close_idle()
        await sim.close()


@asynccontextmanager
async def waking(*, heartbeat_s: float = 0.0, most_s: float = 5.0) -> AsyncIterator[Waking]:
    """Have something that wakes replicas."""
    clock = SystemClock()
    deadlines = Deadlines(clock)
    made = Waking(
        sharing=alone(), heartbeat_s=heartbeat_s, deadlines=deadlines, clock=clock, most_s=most_s, poll_s=0.01
    )
    try:
        yield made
    finally:
        await made.close()
        deadlines.close()


def times(sim: RunningSim, target: str) -> int:
    """Return how often a sim was asked this."""
    return sum(seen.target == target for seen in sim.log.requests)


async def test_a_look_tells_whether_it_sleeps() -> None:
    """Before, while, and after; one without the route is awake."""
    async with sleeper() as (_, replica):
        assert replica.is_sleeping
        assert replica.is_usable == replica.health.is_usable, "a request may wake it"
        await ask(replica, b"POST", "/wake_up")
        await look(replica)
        assert not replica.is_sleeping
    async with sleeper(dev_mode=False) as (_, replica):
        assert not replica.is_sleeping


async def test_a_replica_that_is_gone_tells_nothing() -> None:
    """Whoever looks hears of it."""
    async with sleeper() as (sim, replica):
        await sim.close()
        replica.close_idle()
        with pytest.raises(ConnectionFault):
            await look(replica)


async def test_metrics_tell_whether_it_sleeps() -> None:
    """A recorded page of the real one, and the page of one that sleeps."""
    assert sleep_state(codec.loads(RECORDED.read_bytes())["response"]["body"].encode()) is False
    async with sleeper() as (_, replica):
        page = (await ask(replica, b"GET", "/metrics")).body
        assert sleep_state(page) is True
        assert not has_no_weights(page)
    async with sleeper(level=2) as (_, replica):
        page = (await ask(replica, b"GET", "/metrics")).body
        assert sleep_state(page) is True
        assert has_no_weights(page)


@pytest.mark.parametrize(
    ("page", "said"),
    [
        (b"", None),
        (b"vllm:num_requests_running 0.0\n", None),
        (b'vllm:engine_sleep_state{engine="0",sleep_state="awake"} NaN\n', None),
        (b'vllm:engine_sleep_state{engine="0",sleep_state="awake"} 1\n', False),
        (b'vllm:engine_sleep_state{sleep_state="awake",engine="0"} 0.0\n', True),
        (
            b'vllm:engine_sleep_state{engine="0",sleep_state="awake"} 0.0\n%s'
            % b'vllm:engine_sleep_state{engine="1",sleep_state="awake"} 1.0\n',
            None,
        ),
        (b'other{a="vllm:engine_sleep_state{",sleep_state="awake"} 1.0\n', None),
    ],
    ids=["nothing", "other gauges", "no number", "awake", "asleep", "contradiction", "another name"],
)
def test_metrics_that_do_not_tell(page: bytes, said: bool | None) -> None:
    """What is not said clearly is not known."""
    assert sleep_state(page) is said


def test_those_who_are_awake_come_first() -> None:
    """A sleeping one is woken only when nobody else is there; where all are awake nothing is made."""
    one, two, three = (replica_at("http://127.0.0.1:1", name=f"default-{number}") for number in (1, 2, 3))
    everybody = [one, two, three]
    assert awake_first(everybody) is everybody
    two.is_sleeping = True
    assert awake_first(everybody) == [one, three]
    one.is_sleeping = three.is_sleeping = True
    assert awake_first(everybody) == everybody


async def test_many_wake_it_once() -> None:
    """Whoever comes while it is being woken waits for the same."""
    async with sleeper() as (sim, replica), waking() as wake:
        await asyncio.gather(*(wake.wake(replica) for _ in range(50)))
        assert not replica.is_sleeping
        assert times(sim, "/wake_up") == 1
        await ask(replica, b"POST", "/sleep?level=1")
        await wake.wake(replica)
        assert times(sim, "/wake_up") == 2


async def test_who_leaves_does_not_stop_it_for_others() -> None:
    """The first caller gives up while the replica is still waking; the second is served."""
    async with sleeper() as (sim, replica), waking() as wake:
        sim.faults.add(["stall=0.1/wake_up"])
        first = asyncio.get_running_loop().create_task(wake.wake(replica))
        second = asyncio.get_running_loop().create_task(wake.wake(replica))
        await until(lambda: times(sim, "/metrics") == 1)
        first.cancel()
        await second
        assert first.cancelled()
        assert not replica.is_sleeping
        assert times(sim, "/wake_up") == 1


async def test_it_wakes_even_when_everybody_has_left() -> None:
    """What was begun is brought to its end."""
    async with sleeper() as (_, replica), waking() as wake:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await wake.wake(replica)
        await until(lambda: not replica.is_sleeping)


async def test_one_that_fell_asleep_under_a_request_is_woken() -> None:
    """The request is inside it and would wait for ever; without one, or without leave to wake it, it sleeps on."""
    async with sleeper() as (sim, replica), waking() as wake:
        wake.notice(replica)
        replica.outstanding, replica.wakes_on_request = 1, False
        wake.notice(replica)
        assert len(wake._tasks) == 0
        replica.wakes_on_request = True
        wake.notice(replica)
        await until(lambda: not replica.is_sleeping)
        wake.notice(replica)
        assert times(sim, "/wake_up") == 1


async def test_one_that_refuses_is_a_failure() -> None:
    """And the next request tries again."""
    async with sleeper() as (sim, replica), waking() as wake:
        sim.faults.add(["status=500x1/wake_up"])
        with pytest.raises(ReplicaFailed, match="refused"):
            await wake.wake(replica)
        await wake.wake(replica)
        assert not replica.is_sleeping


async def test_one_without_weights_is_left_alone() -> None:
    """Woken from level 2 it would make nonsense until its weights are loaded again."""
    async with sleeper(level=2) as (sim, replica), waking() as wake:
        with pytest.raises(ReplicaFailed, match="weights"):
            await wake.wake(replica)
        assert times(sim, "/wake_up") == 0


async def test_one_that_is_gone_is_a_failure() -> None:
    """It cannot be woken."""
    async with sleeper() as (sim, replica), waking() as wake:
        await sim.close()
        replica.close_idle()
        with pytest.raises(ReplicaFailed, match="could not be woken"):
            await wake.wake(replica)


async def test_one_that_takes_too_long_is_silent() -> None:
    """All who wait are told, each with an error of its own."""
    async with sleeper() as (sim, replica), waking(most_s=0.05) as wake:
        sim.faults.add(["stall/wake_up"])
        failures = await asyncio.gather(wake.wake(replica), wake.wake(replica), return_exceptions=True)
        assert [type(failure) for failure in failures] == [ReplicaSilent, ReplicaSilent]
        assert failures[0] is not failures[1]


async def test_a_stream_hears_comments_meanwhile() -> None:
    """And an answer in one piece hears nothing."""
    async with sleeper() as (_, replica):
        for stream, heard in ((True, True), (False, False)):
            await ask(replica, b"POST", "/sleep?level=1")
            clock, sink = HandClock(), Notes()
            deadlines = Deadlines(clock)
            made = exchange(body=b'{"messages":[]}')
            made.asked = replace(made.operation.read(b'{"messages":[]}'), stream=stream)
            wake = Waking(sharing=alone(), heartbeat_s=1, deadlines=deadlines, clock=clock)
            task = asyncio.get_running_loop().create_task(wake.wake_audibly(made, replica, sink))
            await asyncio.sleep(0)
            clock.move(1)
            deadlines._tick()
            assert (sink.written == COMMENT) is heard
            await task
            assert len(deadlines) == 0
            await wake.close()
            deadlines.close()
