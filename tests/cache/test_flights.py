"""Who asks first has it asked for, who asks later joins."""

import asyncio

import pytest

from tests.cache.callers import begin, board, flight
from tests.upstream.test_answers import Notes
from tests.waiting import until
from vllm_gateway.cache.flight import Flight
from vllm_gateway.cache.flights import Course, Flights
from vllm_gateway.cache.kept import Kept
from vllm_gateway.errors import BudgetSpent, Draining, ReplicaFailed

KEPT = Kept(b"kept", 1.0)


class Asking:
    """A replica that answers when it is told to."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.may_answer = asyncio.Event()
        self.is_cancelled = False
        self.kept: list[Kept] = []
        self.ends = 0
        self._failure = failure

    @property
    def course(self) -> Course:
        """What is done for a flight."""
        return Course(self._ask, self._judge, self._keep, self._end)

    async def _ask(self, one: Flight) -> None:
        try:
            await self.may_answer.wait()
        except asyncio.CancelledError:
            self.is_cancelled = True
            raise
        if self._failure is not None:
            raise self._failure
        begin(one)
        one.write(b"data: x\n\n")

    def _end(self) -> None:
        self.ends += 1

    @staticmethod
    def _judge(one: Flight) -> Kept | None:
        return KEPT if one.body else None

    async def _keep(self, kept: Kept) -> None:
        self.kept.append(kept)


async def test_a_flight_is_found_until_it_has_landed() -> None:
    """And its answer is kept before it is forgotten."""
    flights, asking, one, sink = Flights(max_bytes=1_000_000), Asking(), flight(), Notes()
    seat, _ = board(one, sink)
    flights.launch(b"k", one, asking.course)
    assert flights.find(b"k") is one
    assert flights.find(b"l") is None
    asking.may_answer.set()
    await seat.done
    await until(lambda: not len(flights))
    assert (sink.written, asking.kept, one.kept) == (b"data: x\n\n", [KEPT], KEPT)
    await until(lambda: asking.ends == 1)
    assert flights.find(b"k") is None


async def test_a_flight_without_a_key_is_nobody_elses() -> None:
    """It is not found."""
    flights, asking, one = Flights(max_bytes=1_000_000), Asking(), flight()
    seat, _ = board(one, Notes())
    flights.launch(None, one, asking.course)
    assert len(flights) == 0
    asking.may_answer.set()
    await seat.done
    await flights.close()


async def test_it_goes_on_while_anybody_waits() -> None:
    """Who asked first may leave; with the last one it ends, and who comes then begins anew."""
    flights, asking, one = Flights(max_bytes=1_000_000), Asking(), flight()
    first, _ = board(one, Notes())
    other, _ = board(one, Notes())
    flights.launch(b"k", one, asking.course)
    await asyncio.sleep(0)
    first.leave()
    await asyncio.sleep(0)
    assert (asking.is_cancelled, flights.find(b"k")) == (False, one)
    other.leave()
    assert flights.find(b"k") is None
    await until(lambda: asking.is_cancelled)
    await until(lambda: not len(flights))
    await until(lambda: asking.ends == 1)


async def test_one_that_takes_the_place_of_another_stays_when_that_lands() -> None:
    """Each takes only itself off the list."""
    flights, old, new = Flights(max_bytes=1_000_000), Asking(), Asking()
    one, other = flight(), flight()
    board(one, Notes())
    seat, _ = board(other, Notes())
    flights.launch(b"k", one, old.course)
    flights.launch(b"k", other, new.course)
    old.may_answer.set()
    await until(lambda: one.is_over)
    await asyncio.sleep(0)
    assert flights.find(b"k") is other
    seat.leave()
    await flights.close()


async def test_a_failure_is_raised_to_those_who_wait() -> None:
    """Nothing is kept."""
    flights, asking, one = Flights(max_bytes=1_000_000), Asking(ReplicaFailed("no")), flight()
    seat, _ = board(one, Notes())
    flights.launch(b"k", one, asking.course)
    asking.may_answer.set()
    with pytest.raises(ReplicaFailed):
        await seat.done
    assert asking.kept == []


async def test_who_is_stopped_is_told_why() -> None:
    """The gateway itself may end an exchange in its middle."""
    flights, asking, one = Flights(max_bytes=1_000_000), Asking(), flight()
    seat, _ = board(one, Notes())
    flights.launch(b"k", one, asking.course)
    await asyncio.sleep(0)
    one.exchange.stop(BudgetSpent("spent"))
    with pytest.raises(BudgetSpent):
        await seat.done


async def test_at_the_end_of_the_gateway_nobody_is_left_waiting() -> None:
    """Even one that has not taken its first step."""
    flights, asking, one = Flights(max_bytes=1_000_000), Asking(), flight()
    seat, _ = board(one, Notes())
    flights.launch(b"k", one, asking.course)
    await flights.close()
    await asyncio.sleep(0)
    with pytest.raises(Draining):
        await seat.done
