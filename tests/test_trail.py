"""How long the steps of an exchange took."""

import contextlib

from vllm_gateway.clock import HandClock
from vllm_gateway.trail import Trail


def test_each_step_begins_where_the_one_before_ended() -> None:
    """All of them together are the time since the beginning."""
    clock = HandClock(now=10.0)
    trail = Trail(clock.now, 9.0)
    steps = [trail.step()]
    for seconds in (0.5, 0.25):
        clock.move(seconds)
        steps.append(trail.step())
    assert steps == [1.0, 0.5, 0.25]


def test_waits_are_added_up() -> None:
    """One that is broken off was a wait too."""
    clock = HandClock()
    trail = Trail(clock.now, 0.0)
    for seconds in (2.0, 3.0):
        with contextlib.suppress(KeyError), trail.waiting():
            clock.move(seconds)
            dict[str, int]()["nothing"]
        clock.move(100.0)
    assert trail.queue_s == 5.0
