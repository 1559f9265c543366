"""One answer for several callers: each gets all of it, none waits for another, and memory has a bound."""

from hypothesis import given
from hypothesis import strategies as st

from tests.cache.callers import HEAD, STREAM, Replica, Slow, begin, board, flight
from tests.upstream.test_answers import Notes, chat
from vllm_gateway.cache.flight import Flight, Form
from vllm_gateway.cache.kept import Kept
from vllm_gateway.cache.room import Room
from vllm_gateway.cache.telling import Mark
from vllm_gateway.errors import BudgetSpent, ReplicaSilent, ReplicaTruncated
from vllm_gateway.exchange import Usage

EVENTS = [b"data: %d\n\n" % number for number in range(8)]
JSON = Form(is_stream=False, tells_usage=False)


async def test_who_comes_later_gets_it_from_the_first_byte() -> None:
    """Before the head, in the middle, and after the end."""
    one = flight()
    sinks = [Notes() for _ in range(4)]
    board(one, sinks[0], mark=Mark.MISS)
    board(one, sinks[1])
    begin(one)
    one.write(EVENTS[0])
    board(one, sinks[2])
    one.write(EVENTS[1])
    one.exchange.usage = Usage(3, 2)
    one.end()
    one.land(None)
    seat, exchange = board(one, sinks[3])
    assert {sink.written for sink in sinks} == {EVENTS[0] + EVENTS[1]}
    assert all(sink.is_ended for sink in sinks)
    assert (seat.is_answered, seat.done.done(), exchange.usage) == (True, True, Usage(3, 2))


async def test_each_reply_is_its_callers_own() -> None:
    """Ids are those of each request; what the first one is told of its limits is not for the others."""
    one, first, other = flight(), Notes(), Notes()
    one.exchange.limits = b"x-ratelimit: 1\r\n"
    one.exchange.attempts = 2
    seat, exchange = board(one, first, mark=Mark.MISS)
    _, joined = board(one, other)
    begin(one)
    seat.leave()
    assert (exchange.limits, joined.limits) == (b"x-ratelimit: 1\r\n", b"")
    assert (b"x-cache", b"miss") in first.headers
    assert (b"x-request-id", exchange.id.encode()) in first.headers
    assert (exchange.attempts, joined.attempts) == (2, 0)
    assert dict(other.headers) == {
        b"content-type": HEAD[0][1],
        b"x-request-id": joined.id.encode(),
        b"x-cache": b"hit",
        b"age": b"0",
    }


async def test_who_comes_when_the_first_has_gone_is_not_the_first() -> None:
    """The answer may be there for a moment longer; what was done for it was not done for who comes now."""
    one = flight()
    one.exchange.limits, one.exchange.attempts = b"x-ratelimit: 1\r\n", 1
    seat, _ = board(one, Notes(), mark=Mark.MISS)
    begin(one)
    one.write(EVENTS[0])
    one.land(None, Kept(EVENTS[0], 1.0))
    seat.leave()
    sink = Notes()
    later, exchange = board(one, sink)
    later.leave()
    assert (sink.written, exchange.attempts) == (EVENTS[0], 0)
    assert exchange.limits == b""


async def test_where_nobody_was_asked_nothing_is_said_of_it() -> None:
    """A caller who has reached its limit reads of the limit only."""
    one = flight()
    one.exchange.limits = b"x-ratelimit: 0\r\n"
    seat, exchange = board(one, Notes(), mark=Mark.MISS)
    one.land(BudgetSpent("b"))
    seat.leave()
    assert (exchange.limits, exchange.told) == (b"x-ratelimit: 0\r\n", [])


async def test_a_reply_that_has_begun_is_not_begun_again() -> None:
    """A stream may have said already that somebody is there."""
    one, first = flight(), Notes()
    _, exchange = board(one, first)
    first.start(200, [(b"early", b"1")])
    exchange.status, exchange.is_event_stream = 200, True
    assert one.is_started
    begin(one)
    one.write(EVENTS[0])
    assert (first.headers, first.written) == ([(b"early", b"1")], EVENTS[0])


async def test_a_failure_leaves_a_begun_stream_a_stream() -> None:
    """It can only be told by an event."""
    one, first = flight(), Notes()
    seat, exchange = board(one, first)
    exchange.status, exchange.is_event_stream = 200, True
    one.land(ReplicaSilent("silent"))
    seat.leave()
    assert (exchange.status, exchange.is_event_stream) == (200, True)


async def test_comments_are_of_the_moment() -> None:
    """They go to those who are there, and are not kept."""
    one, first, later = flight(), Notes(), Notes()
    board(one, first)
    begin(one)
    one.write(b": keepalive\n\n")
    one.write(EVENTS[0])
    board(one, later)
    assert first.written == b": keepalive\n\n" + EVENTS[0]
    assert (later.written, one.body) == (EVENTS[0], EVENTS[0])


async def test_a_piece_of_json_is_no_comment() -> None:
    """An answer in one piece that is large comes in parts, and any of them may begin with a colon."""
    one, first, slow = flight(form=JSON), Notes(), Slow(5)
    board(one, first, JSON)
    board(one, slow, JSON)
    one.exchange.status = 200
    one.start(200, [(b"content-type", b"application/json")])
    for part in (b'{"usage"', b":1", b"}"):
        one.write(part)
    slow.take(100)
    assert (first.written, slow.written, one.body) == (b'{"usage":1}',) * 3


async def test_a_stream_that_has_begun_is_gone_on_with() -> None:
    """Its caller, who has heard that somebody is there, boards another flight, and others join that."""
    exchange, first, other = chat(), Notes(), Notes()
    exchange.status, exchange.is_event_stream = 200, True
    first.start(200, HEAD)
    one = Flight(exchange, STREAM, max_bytes=1_000, room=Room(1_000), head=HEAD)
    one.board(exchange, first, STREAM, mark=Mark.MISS)
    board(one, other)
    one.write(EVENTS[0])
    assert (first.written, other.written) == (EVENTS[0], EVENTS[0])
    assert (first.headers, other.status) == (HEAD, 200)


async def test_who_wants_another_form_waits_for_the_end() -> None:
    """Nothing is written to it; what was kept can be given to it then."""
    one, first, other = flight(), Notes(), Notes()
    board(one, first)
    seat, _ = board(one, other, JSON)
    begin(one)
    one.write(EVENTS[0])
    assert not seat.done.done()
    one.land(None, Kept(EVENTS[0], 1.0))
    assert (seat.done.result(), seat.is_answered, other.is_started) == (None, False, False)
    assert one.kept == Kept(EVENTS[0], 1.0)


async def test_a_refusal_is_for_who_asked_first() -> None:
    """In the replica's words, for its dialect; the others are to ask by themselves."""
    one, first, other = flight(form=JSON), Notes(), Notes()
    seat, _ = board(one, first, JSON)
    joined, _ = board(one, other, JSON)
    begin(one, 400)
    one.write(b"{}")
    one.land(None)
    assert (first.status, first.written, seat.is_answered) == (400, b"{}", True)
    assert (other.is_started, joined.is_answered, joined.done.done()) == (False, False, True)
    assert not one.can_be_joined


async def test_a_failure_is_told_to_all_and_the_firsts_affairs_to_none() -> None:
    """A silent replica is silent for everybody; a spent budget is one caller's."""
    for failure, expected in [(ReplicaSilent("s"), ReplicaSilent), (BudgetSpent("b"), ReplicaTruncated)]:
        one = flight()
        first, _ = board(one, Notes())
        other, _ = board(one, Notes())
        one.land(failure)
        assert first.done.exception() is failure
        assert isinstance(other.done.exception(), expected)
        assert not one.can_be_joined


async def test_a_slow_caller_does_not_hold_up_others() -> None:
    """It gets the rest when it takes it, even after the end."""
    one, first, slow, replica = flight(), Notes(), Slow(5), Replica()
    one.feed_from(replica)
    board(one, first)
    seat, _ = board(one, slow)
    begin(one)
    for event in EVENTS:
        one.write(event)
    one.land(None)
    assert first.written == b"".join(EVENTS)
    assert first.is_ended
    assert (slow.written, seat.done.done(), replica.pauses) == (EVENTS[0], False, 0)
    slow.take(15)
    assert slow.written == b"".join(EVENTS[:3])
    slow.take(1_000)
    assert (slow.written, slow.is_ended, seat.is_answered) == (b"".join(EVENTS), True, True)


async def test_a_large_answer_is_shared_by_those_who_are_there() -> None:
    """It is kept in memory no longer than somebody needs it, and nobody can join any more."""
    one, sinks = flight(max_bytes=30), [Notes(), Notes()]
    waiting, _ = board(one, sinks[0]), board(one, sinks[1])
    other, _ = board(one, Notes(), JSON)
    begin(one)
    for event in EVENTS:
        one.write(event)
    assert not one.can_be_joined
    assert len(one.body) <= 30
    assert other.done.done()
    one.land(None)
    assert {sink.written for sink in sinks} == {b"".join(EVENTS)}
    assert waiting[0].is_answered


async def test_a_caller_who_is_alone_slows_the_replica_down() -> None:
    """As without a cache: nothing is asked of the replica that nobody takes."""
    one, slow, replica = flight(max_bytes=30), Slow(5), Replica()
    one.feed_from(replica)
    board(one, slow)
    begin(one)
    for event in EVENTS[:5]:
        one.write(event)
    assert replica.is_paused
    slow.take(20)
    assert not replica.is_paused
    slow.take(1_000)
    assert slow.written == b"".join(EVENTS[:5])


async def test_a_caller_who_is_too_slow_for_the_others_is_dropped() -> None:
    """The others would have to wait for it, or memory would."""
    one, first, slow, replica = flight(max_bytes=30), Notes(), Slow(5), Replica()
    one.feed_from(replica)
    board(one, first)
    seat, _ = board(one, slow)
    begin(one)
    for event in EVENTS:
        one.write(event)
    assert slow.is_dropped
    assert isinstance(seat.done.exception(), ReplicaTruncated)
    assert (first.written, replica.pauses) == (b"".join(EVENTS), 0)
    assert len(one.body) <= 30
    had = slow.written
    slow.take(1_000)
    assert slow.written == had


async def test_who_was_dropped_gets_nothing_more() -> None:
    """Not even if it takes something before it is told: what it missed is forgotten."""
    one, first, slow = flight(max_bytes=30), Notes(), Slow(5)
    board(one, first)
    board(one, slow)
    begin(one)
    for event in EVENTS:
        one.write(event)
    assert slow.is_dropped
    slow.take(1_000)
    assert slow.written == EVENTS[0]


async def test_who_does_not_take_the_end_is_dropped_when_the_replica_says_so() -> None:
    """The time for a request is over for those only who have not taken it."""
    one, first, slow = flight(), Notes(), Slow(5)
    board(one, first)
    board(one, slow)
    begin(one)
    one.write(EVENTS[0])
    one.drop()
    one.cut()
    assert (first.is_dropped, slow.is_dropped, one.is_gone) == (False, True, False)


async def test_a_finished_seat_is_no_burden() -> None:
    """Leaving twice, or after the end, changes nothing."""
    one = flight()
    seat, _ = board(one, Notes())
    begin(one)
    one.land(None)
    one.land(ReplicaSilent("too late"))
    seat.leave()
    seat.leave()
    assert one.failure is None


@given(
    st.lists(st.one_of(st.integers(0, 2), st.binary(min_size=1, max_size=40)), max_size=40),
    st.integers(1, 60),
    st.integers(10, 80),
)
async def test_nobody_misses_a_byte_and_memory_is_bounded(steps: list[int | bytes], most: int, max_bytes: int) -> None:
    """Whoever pauses and goes on whenever: what is written is a prefix of the answer, and all of it for who stays."""
    one, replica = flight(max_bytes=max_bytes), Replica()
    one.feed_from(replica)
    slow = [Slow(most), Slow(2 * most), Slow(3 * most)]
    seats = [board(one, sink)[0] for sink in slow]
    begin(one)
    whole = b""
    for step in steps:
        if isinstance(step, int):
            slow[step].take(most)
        elif not replica.is_paused:
            part = b"x" + step
            whole += part
            one.write(part)
        assert sum(map(len, one.parts)) <= max_bytes + 41
        assert all(whole.startswith(sink.written) for sink in slow)
    one.land(None)
    for sink, seat in zip(slow, seats, strict=True):
        sink.take(10_000)
        assert sink.is_dropped or (sink.written == whole and sink.is_ended and seat.is_answered)
    assert not all(sink.is_dropped for sink in slow)
