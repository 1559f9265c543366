"""Whether a replica gets on with its work."""

from hypothesis import given
from hypothesis import strategies as st

from vllm_gateway.upstream.gauges import Engine, Gauges
from vllm_gateway.upstream.progress import Progress

STALLED_S = 8.0


def seen(*looks: tuple[float, Engine], number: bytes = b"0") -> Progress:
    """Return what is known of a replica of one engine after looks at these times."""
    held = Progress()
    for now, engine in looks:
        held = held.after(Gauges(engine.running, engine.waiting, {number: engine}), now)
    return held


def test_a_replica_that_makes_no_token_for_long_has_stalled() -> None:
    """Counted from when it was last seen to get on."""
    held = seen((0, Engine(2, tokens=5)), (5, Engine(2, tokens=9)), (10, Engine(2, tokens=9)))
    assert not held.is_stalled(12.9, STALLED_S)
    assert held.is_stalled(13, STALLED_S)
    assert not held.has_moved


def test_one_that_makes_tokens_has_not() -> None:
    """One token between two looks is enough."""
    held = seen(*((5.0 * n, Engine(2, tokens=n)) for n in range(5)))
    assert not held.is_stalled(20, STALLED_S)
    assert held.has_moved


def test_an_idle_replica_makes_no_tokens_and_is_well() -> None:
    """Time without work does not count, not even the last bit of it before work came."""
    held = seen((0, Engine(0, tokens=9)), (50, Engine(0, tokens=9)), (60, Engine(1, tokens=9)))
    assert not held.is_stalled(67, STALLED_S)
    assert held.is_stalled(68, STALLED_S)


def test_a_long_prompt_is_progress() -> None:
    """While it is read no counter moves, and the cache fills."""
    looks = [(5.0 * n, Engine(1, tokens=9, kv_cache_usage=n / 10)) for n in range(5)]
    assert not seen(*looks).is_stalled(20, STALLED_S)
    assert not seen(*looks).has_moved


def test_requests_that_come_and_go_are_no_progress() -> None:
    """They take room in the cache, whether or not anything is computed."""
    looks = [(5.0 * n, Engine(n + 1, tokens=9, kv_cache_usage=n / 10)) for n in range(5)]
    assert seen(*looks).is_stalled(20, STALLED_S)


def test_one_frozen_rank_beside_busy_ones_is_found() -> None:
    """The sum of all of them moves."""
    held = Progress()
    for n in range(4):
        engines = {b"0": Engine(1, tokens=100 * n), b"1": Engine(1, tokens=7)}
        held = held.after(Gauges(2, 0, engines), 5.0 * n)
    assert held.is_stalled(15, STALLED_S)
    assert held.has_moved


def test_a_restart_is_no_standstill() -> None:
    """The counters begin anew."""
    assert not seen((0, Engine(1, tokens=900)), (9, Engine(1, tokens=3))).is_stalled(9, STALLED_S)


def test_a_server_that_does_not_tell_cannot_stall() -> None:
    """Requests run in it, and that is all it says."""
    assert not seen((0, Engine(1)), (100, Engine(1))).is_stalled(107, STALLED_S)
    assert Progress().still_since() is None


def test_it_has_recovered_when_it_moves_or_nothing_runs() -> None:
    """Either shows that the engine takes steps again."""
    frozen = [(0.0, Engine(1, tokens=5)), (20.0, Engine(1, tokens=5))]
    assert seen(*frozen).is_stalled(20, STALLED_S)
    assert not seen(*frozen, (25, Engine(1, tokens=6))).is_stalled(25, STALLED_S)
    assert not seen(*frozen, (25, Engine(0, tokens=5))).is_stalled(25, STALLED_S)


@given(
    st.lists(
        st.tuples(st.floats(0.1, 20), st.integers(0, 2), st.integers(0, 1), st.floats(0, 1)), min_size=1, max_size=20
    )
)
def test_nobody_stalls_sooner_than_is_allowed(looks: list[tuple[float, int, int, float]]) -> None:
    """Whatever is seen, a standstill is between two looks at least, and never longer than since the first."""
    held, now, tokens = Progress(), 0.0, 0
    first = looks[0][0]
    for pause_s, running, made, usage in looks:
        now, tokens = now + pause_s, tokens + made
        held = held.after(Gauges(running, 0, {b"": Engine(running, 0, tokens, usage)}), now)
        since = held.still_since()
        assert (since is not None) == (running > 0)
        assert since is None or first <= since <= now
        assert since is None or not made or since == now
