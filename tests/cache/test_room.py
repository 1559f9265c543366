"""What all answers under way may take together."""

from tests.cache.callers import Replica, Slow, begin, board, flight
from tests.upstream.test_answers import Notes
from vllm_gateway.cache.flight import LEAST_BYTES
from vllm_gateway.cache.kept import Kept
from vllm_gateway.cache.room import Room

PART = b"x" * 10_000
LARGE = 100 * LEAST_BYTES


def test_it_is_full_above_its_bound() -> None:
    """Not at it."""
    assert [Room(10, size_bytes=size).is_full for size in (0, 10, 11)] == [False, False, True]


async def test_many_answers_hold_no_more_than_there_is_room_for() -> None:
    """Whoever is slow slows its replica down sooner then, and has its answer all the same."""
    room = Room(5 * LEAST_BYTES)
    slow, replicas = [Slow(1) for _ in range(20)], [Replica() for _ in range(20)]
    flights = [flight(max_bytes=LARGE, room=room) for _ in slow]
    for one, sink, replica in zip(flights, slow, replicas, strict=True):
        one.feed_from(replica)
        board(one, sink)
        begin(one)
    for _ in range(100):
        for one, replica in zip(flights, replicas, strict=True):
            if not replica.is_paused:
                one.write(PART)
    assert all(replica.is_paused for replica in replicas)
    assert room.size_bytes <= room.max_bytes + len(flights) * (LEAST_BYTES + len(PART))
    for one, sink in zip(flights, slow, strict=True):
        sink.take(LARGE)
        one.land(None)
    assert not any(replica.is_paused for replica in replicas)
    assert all(sink.is_ended and len(sink.written) % len(PART) == 0 for sink in slow)


async def test_room_is_given_back_with_the_last_who_has_it() -> None:
    """Once, also when somebody comes between the end and the moment at which it is kept."""
    room = Room(LARGE)
    one, sink = flight(max_bytes=LARGE, room=room), Notes()
    seat, _ = board(one, sink)
    begin(one)
    one.write(PART)
    one.land(None, Kept(PART, 1.0))
    assert room.size_bytes == len(PART)
    seat.leave()
    later, _ = board(one, Notes())
    later.leave()
    assert room.size_bytes == 0


async def test_room_is_given_back_when_all_have_left() -> None:
    """The answer ends without them."""
    room = Room(LARGE)
    one = flight(max_bytes=LARGE, room=room)
    seat, _ = board(one, Notes())
    begin(one)
    one.write(PART)
    seat.leave()
    one.land(None)
    assert room.size_bytes == 0
