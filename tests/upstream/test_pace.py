"""How busy a replica is and how fast."""

from vllm_gateway.upstream.gauges import Engine, Gauges
from vllm_gateway.upstream.pace import Pace


def look(**engine: float) -> Gauges:
    """Return what a page of one engine says."""
    only = Engine(running=2, waiting=1, **engine)
    return Gauges(2, 1, {b"": only})


def test_the_first_look_knows_no_speed() -> None:
    """What is counted since the engine began says nothing of now, but for its prefix cache, as the best guess."""
    pace = Pace().after(look(read_tokens=900, made_tokens=90, sought_tokens=100, found_tokens=25), 10)
    assert (pace.running, pace.waiting, pace.at) == (2, 1, 10)
    assert (pace.read_tokens_per_s, pace.made_tokens_per_s, pace.prefix_hit_rate) == (None, None, 0.25)


def test_speed_is_what_came_between_two_looks() -> None:
    """Tokens by the seconds between; the hit rate is that of the same time."""
    pace = Pace().after(look(read_tokens=900, made_tokens=90, sought_tokens=100, found_tokens=25), 10)
    pace = pace.after(look(read_tokens=1000, made_tokens=290, sought_tokens=200, found_tokens=105), 15)
    assert (pace.read_tokens_per_s, pace.made_tokens_per_s, pace.prefix_hit_rate) == (20, 40, 0.8)
    idle = pace.after(look(read_tokens=1000, made_tokens=290, sought_tokens=200, found_tokens=105), 20)
    assert (idle.read_tokens_per_s, idle.made_tokens_per_s, idle.prefix_hit_rate) == (0, 0, 0.8)


def test_a_replica_that_was_started_again_has_no_speed_yet() -> None:
    """Counts that went back are another process's; the next look is a good one again."""
    pace = Pace().after(look(read_tokens=900, made_tokens=90), 10).after(look(read_tokens=5, made_tokens=5), 15)
    assert (pace.read_tokens_per_s, pace.made_tokens_per_s) == (None, None)
    assert pace.after(look(read_tokens=5, made_tokens=10), 20).made_tokens_per_s == 1


def test_two_looks_at_one_moment_make_no_speed() -> None:
    """Nothing is divided by nothing."""
    pace = Pace().after(look(made_tokens=9), 10).after(look(made_tokens=10), 10)
    assert pace.made_tokens_per_s is None


def test_engines_are_added_up_and_their_caches_averaged() -> None:
    """Two ranks behind one address are one replica."""
    both = Gauges(5, 0, {b"0": Engine(2, 0, 1, 0.25), b"1": Engine(3, 0, 1, 0.75)})
    pace = Pace().after(both, 1)
    assert (pace.running, pace.kv_cache_usage) == (5, 0.5)


def test_a_replica_that_tells_nothing_is_not_idle() -> None:
    """Unknown is not 0."""
    pace = Pace().after(look(), 1).after(None, 2)
    assert (pace.running, pace.waiting, pace.kv_cache_usage, pace.prefix_hit_rate) == (None, None, None, None)
    assert Pace().after(Gauges(1, 1), 2).running is None
