"""Two tries at once for one exchange, and who answers."""

import asyncio
from collections.abc import Awaitable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typing_extensions import override

from tests.upstream.racers import COMMENT, DONE, FIRST, LAST, ROUTE, Caller, Replica, asking, knowing, racing
from tests.waiting import PATIENCE_S, until
from vllm_gateway.clock import SystemClock
from vllm_gateway.exchange import T
from vllm_gateway.settings.fleet import Hedge
from vllm_gateway.upstream.answers import AttemptFailed
from vllm_gateway.upstream.heartbeat import Heartbeat
from vllm_gateway.upstream.hedging import Hedging


async def test_a_quick_replica_is_alone() -> None:
    """Nobody else is asked when the first token comes in time; the exchange reads as without hedging."""
    async with racing(late_after_s=0.2) as (hedging, exchange, caller, a, b, task):
        a.says(FIRST)
        await asyncio.sleep(0.25)
        a.says(LAST, DONE)
        a.finishes()
        await task
        assert caller.said == [200, FIRST, LAST, DONE, "end"]
        assert (exchange.status, exchange.attempts, exchange.replica) == (200, 1, "a")
        assert exchange.is_event_stream
        assert exchange.watch is not None
        assert exchange.watch.is_complete()
        assert not b.is_asked
        assert (hedging.hedged, hedging.won) == (0, 0)


async def test_a_second_replica_overtakes_a_late_one() -> None:
    """It answers; the first one is given up at once, and nothing of it is seen."""
    async with racing() as (hedging, exchange, caller, a, b, task):
        await until(lambda: b.is_asked)
        b.says(FIRST)
        assert caller.said == [200, FIRST]
        assert caller.flow is b
        a.says(FIRST, LAST)
        await until(lambda: a.is_over)
        assert caller.flow is b
        assert exchange.replica == "b"
        b.says(LAST, DONE)
        b.finishes()
        await task
        assert caller.said == [200, FIRST, LAST, DONE, "end"]
        assert (exchange.attempts, exchange.replica) == (1, "b")
        assert (hedging.hedged, hedging.won) == (1, 1)


async def test_the_first_one_may_still_win() -> None:
    """Then the second one is given up, and counts for nothing."""
    async with racing() as (hedging, exchange, caller, a, b, task):
        await until(lambda: b.is_asked)
        a.says(FIRST)
        b.says(FIRST)
        await until(lambda: b.is_over)
        a.says(LAST, DONE)
        a.finishes()
        await task
        assert caller.said == [200, FIRST, LAST, DONE, "end"]
        assert (exchange.attempts, exchange.replica) == (1, "a")
        assert (hedging.hedged, hedging.won) == (1, 0)


async def test_a_comment_wins_nothing() -> None:
    """A replica that only says that it is there has no first token yet; the comment reaches the caller all the same."""
    async with racing() as (_, exchange, caller, a, b, task):
        a.says(COMMENT)
        assert caller.said == [200, COMMENT]
        assert exchange.is_event_stream
        assert exchange.status == 200
        await until(lambda: b.is_asked)
        b.says(COMMENT, FIRST)
        a.says(COMMENT)
        b.says(LAST, DONE)
        b.finishes()
        await task
        assert caller.said == [200, COMMENT, COMMENT, FIRST, LAST, DONE, "end"]
        assert exchange.replica == "b"


async def test_a_stream_that_had_begun_with_a_comment_goes_on() -> None:
    """The head was written by somebody else while the request waited; it is not written again."""
    async with racing() as (_, _exchange, caller, a, _b, task):
        caller.start(200, [])
        caller.write(COMMENT)
        a.says(FIRST, LAST, DONE)
        a.finishes()
        await task
        assert caller.said == [200, COMMENT, FIRST, LAST, DONE, "end"]


async def test_one_that_fails_drops_out() -> None:
    """The other one goes on alone; the failed attempt counts."""
    async with racing() as (_, exchange, caller, a, b, task):
        await until(lambda: b.is_asked)
        a.fails()
        await until(lambda: a.is_over)
        assert not task.done()
        b.says(LAST, DONE)
        b.finishes()
        await task
        assert caller.said == [200, LAST, DONE, "end"]
        assert (exchange.attempts, exchange.replica) == (2, "b")


async def test_a_first_one_that_fails_early_is_not_hedged() -> None:
    """To try again is for whoever asked for the race."""
    async with racing(late_after_s=5) as (hedging, exchange, caller, a, b, task):
        a.fails("First.")
        with pytest.raises(AttemptFailed, match=r"First\."):
            await task
        assert caller.said == []
        assert (exchange.attempts, exchange.replica, exchange.status) == (1, "a", 0)
        assert not b.is_asked
        assert hedging.hedged == 0


async def test_when_both_fail_the_first_failure_is_told() -> None:
    """And both attempts count."""
    async with racing() as (_, exchange, caller, a, b, task):
        await until(lambda: b.is_asked)
        b.fails("First.")
        await until(lambda: b.is_over)
        a.fails("Second.")
        with pytest.raises(AttemptFailed, match=r"First\."):
            await task
        assert caller.said == []
        assert (exchange.attempts, exchange.replica) == (2, "b")


async def test_what_is_final_ends_the_race() -> None:
    """A request that is wrong is wrong for the other replica too."""
    async with racing() as (_, exchange, caller, a, b, task):
        await until(lambda: b.is_asked)
        b.fails("It is wrong.", is_final=True)
        with pytest.raises(AttemptFailed, match="wrong"):
            await task
        assert a.is_over
        assert caller.said == []
        assert exchange.replica == "b"


async def test_a_replica_without_a_place_does_not_hide_the_others_failure() -> None:
    """The failure of one that was at work can be made good by a third."""
    async with racing() as (_, exchange, _caller, a, b, task):
        await until(lambda: b.is_asked)
        b.is_full()
        await until(lambda: b.is_over)
        a.fails("It failed.")
        with pytest.raises(AttemptFailed, match="failed"):
            await task
        assert exchange.replica == "a"


async def test_what_is_said_while_a_replica_wakes_wins_nothing() -> None:
    """Those are comments too, though no replica made them."""
    async with racing(late_after_s=5) as (_, exchange, caller, a, _b, task):
        assert a.exchange is not None
        assert a.sink is not None
        Heartbeat(a.exchange, a.sink, every_s=0, clock=SystemClock()).check(SystemClock().now())
        assert len(caller.said) == 2
        assert exchange.replica is None
        a.says(LAST, DONE)
        a.finishes()
        await task
        assert exchange.replica == "a"
        assert caller.said[2:] == [LAST, DONE, "end"]


async def test_a_winner_that_breaks_off_is_told_of() -> None:
    """What it had said stays on the exchange, so that the stream can go on from elsewhere."""
    async with racing() as (_, exchange, caller, a, b, task):
        await until(lambda: b.is_asked)
        b.says(FIRST)
        b.fails("Broke off.")
        with pytest.raises(AttemptFailed, match=r"Broke off\."):
            await task
        assert a.is_over
        assert caller.said == [200, FIRST]
        assert exchange.replica == "b"
        assert exchange.watch is not None
        assert exchange.watch.has_data


async def test_a_caller_who_leaves_ends_both() -> None:
    """Both replicas stop, and the cancellation goes on."""
    async with racing() as (_, _exchange, caller, a, b, task):
        await until(lambda: b.is_asked)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert a.is_over
        assert b.is_over
        assert caller.said == []


async def test_a_try_always_gets_to_give_its_place_back() -> None:
    """Even when the caller's connection fails before the try had its first turn."""

    class Broken(Caller):
        @override
        async def until(self, done: "asyncio.Future[T]") -> T:
            raise OSError("gone")

    hedging, replica = Hedging(Hedge(enabled=True), clock=SystemClock()), Replica("a")
    with pytest.raises(OSError, match="gone"):
        await hedging.race(asking(), Broken(), ROUTE, replica.run, lambda: None)
    assert (replica.is_asked, replica.is_over) == (True, True)
    await hedging.close()


async def test_an_answer_in_one_piece_can_win_too() -> None:
    """Whatever comes first is the answer."""
    async with racing() as (_, exchange, caller, a, b, task):
        await until(lambda: b.is_asked)
        b.answers(b'{"usage":{"prompt_tokens":3,"completion_tokens":4}}')
        await task
        assert caller.said == [200, b'{"usage":{"prompt_tokens":3,"completion_tokens":4}}', "end"]
        assert a.is_over
        assert exchange.usage is not None
        assert (exchange.usage.prompt_tokens, exchange.is_event_stream) == (3, False)


async def test_without_another_replica_the_first_one_stays_alone() -> None:
    """There may be none with room."""
    async with racing(second=False) as (hedging, _exchange, caller, a, _b, task):
        await asyncio.sleep(0.03)
        a.says(LAST, DONE)
        a.finishes()
        await task
        assert caller.said == [200, LAST, DONE, "end"]
        assert hedging.hedged == 0


async def test_without_a_budget_nothing_is_asked_twice() -> None:
    """0 % is none."""
    async with racing(budget_percent=0) as (hedging, _exchange, _caller, a, b, task):
        await asyncio.sleep(0.03)
        a.says(LAST, DONE)
        a.finishes()
        await task
        assert not b.is_asked
        assert hedging.hedged == 0


async def test_late_is_what_is_unusual_on_the_route() -> None:
    """Nothing is known at first, the least wait holds, and routes do not know of each other."""
    hedging = Hedging(Hedge(enabled=True, least_wait_s=0.1), clock=SystemClock())
    assert hedging.late_after(ROUTE) is None
    await knowing(hedging)
    assert hedging.late_after(ROUTE) == 0.1
    assert hedging.late_after("another") is None
    eager = Hedging(Hedge(enabled=True, least_wait_s=0), clock=SystemClock())
    await knowing(eager, 0.01)
    late_after_s = eager.late_after(ROUTE)
    assert late_after_s is not None
    assert late_after_s >= 0.009
    await hedging.close()
    await eager.close()


STEPS = st.sampled_from(["a says", "b says", "a comments", "b comments", "a fails", "b fails", "a ends", "b ends", "-"])


@settings(max_examples=50, deadline=None)
@given(st.lists(STEPS, max_size=14))
def test_in_whatever_order_one_whole_answer_arrives_or_a_failure(steps: list[str]) -> None:
    """Of one replica only, with one head and one end, and nothing of it is lost or told twice."""
    asyncio.run(play(steps))


async def play(steps: list[str]) -> None:
    """Let two replicas do what the steps say, and compare what the caller sees with what they said."""
    async with racing(late_after_s=0.0) as (_, exchange, caller, a, b, task):
        await until(lambda: b.is_asked)
        replicas = {"a": a, "b": b}
        said: dict[str, list[bytes]] = {"a": [], "b": []}
        over: set[str] = set()
        for number, step in enumerate(steps):
            name, _, what = step.partition(" ")
            if name in over:
                continue
            if name == "-" or replicas[name].is_over:
                await asyncio.sleep(0)
            elif what == "fails":
                over.add(name)
                replicas[name].fails(name)
            else:
                events = said_by(name, what, number)
                said[name] += [event for event in events if event != COMMENT]
                replicas[name].says(*events)
                if what == "ends":
                    over.add(name)
                    replicas[name].finishes()
        for name in sorted({"a", "b"} - over):
            if not replicas[name].is_over:
                replicas[name].fails(name)
        await settled(task)
        data = [each for each in caller.said if isinstance(each, bytes) and each != COMMENT]
        winner = exchange.replica if data else None
        assert data == (said[winner] if winner else [])
        assert caller.said.count("end") == (0 if failed(task) else 1)
        assert (a.is_over, b.is_over) == (True, True)


def said_by(name: str, what: str, number: int) -> list[bytes]:
    """Return the events of one step, which no other step has."""
    if what == "comments":
        return [COMMENT]
    event = f'data: {{"choices":[{{"index":0,"delta":{{"content":"{name}{number}"}}}}]}}\n\n'.encode()
    return [event, LAST, DONE] if what == "ends" else [event]


async def settled(task: "asyncio.Task[None]") -> None:
    """Wait for the end of a race, whatever it is."""
    waiting: Awaitable[object] = asyncio.wait([task], timeout=PATIENCE_S)
    await waiting
    assert task.done()


def failed(task: "asyncio.Task[None]") -> bool:
    """Say whether a race ended with a failure."""
    return task.exception() is not None
