"""Measured values, and how those of several processes become one."""

from hypothesis import given
from hypothesis import strategies as st

from vllm_gateway import codec
from vllm_gateway.telemetry.metrics import definitions as of
from vllm_gateway.telemetry.metrics.series import (
    OTHER,
    Capped,
    Snapshot,
    Spread,
    lasting,
    merged,
    plain,
    read,
    spread_out,
)


def test_a_value_falls_into_the_first_bucket_that_holds_it() -> None:
    """A bound belongs to its own bucket; what is above all of them is counted last."""
    spread = Spread(of.OVERHEAD)
    for value in (of.OVERHEAD_S[0], of.OVERHEAD_S[0] * 1.01, of.OVERHEAD_S[-1], 1.0):
        spread.observe(value)
    (total, *counts) = spread.row
    assert total == sum((of.OVERHEAD_S[0], of.OVERHEAD_S[0] * 1.01, of.OVERHEAD_S[-1], 1.0))
    assert [index for index, count in enumerate(counts) if count] == [0, 1, len(of.OVERHEAD_S) - 1, len(of.OVERHEAD_S)]


def test_a_series_that_has_no_value_is_not_told() -> None:
    """One that has some is told as of now."""
    seen, unseen = Spread(of.OVERHEAD), Spread(of.OVERHEAD)
    seen.observe(0.0)
    told = spread_out([(("auth",), seen), (("read",), unseen)])
    seen.observe(1.0)
    assert told == {("auth",): [0.0, 1.0] + [0.0] * len(of.OVERHEAD_S)}


@given(st.lists(st.text(max_size=3), max_size=60), st.integers(0, 5))
def test_a_label_never_has_more_values_than_it_may(names: list[str], most: int) -> None:
    """The first ones keep their own, whatever comes after them."""
    capped = Capped(most)
    labels = [capped.label(name) for name in names]
    assert len(set(labels) - {OTHER}) <= most
    first = list(dict.fromkeys(name for name in names if name))[:most]
    assert [capped.label(name) for name in first] == first
    assert Capped(5).label(None) == OTHER


def test_counts_of_workers_add_up_and_states_do_not() -> None:
    """A replica is up when it is so for all; a breaker shows every state that a worker sees."""
    one: Snapshot = {
        of.ERRORS.name: {("a",): 2, ("b",): 1},
        of.OVERHEAD.name: {("auth",): [1.0, 1, 2]},
        of.BACKEND_UP.name: {("r-1",): 1, ("r-2",): 1},
        of.BREAKER.name: {("r-1", "open"): 0},
        of.INFLIGHT.name: {(): 3},
    }
    other: Snapshot = {
        of.ERRORS.name: {("a",): 5, ("c",): 1},
        of.OVERHEAD.name: {("auth",): [0.5, 0, 1]},
        of.BACKEND_UP.name: {("r-1",): 0},
        of.BREAKER.name: {("r-1", "open"): 1},
        of.INFLIGHT.name: {(): 4},
    }
    assert merged([one, other]) == {
        of.ERRORS.name: {("a",): 7, ("b",): 1, ("c",): 1},
        of.OVERHEAD.name: {("auth",): [1.5, 1, 3]},
        of.BACKEND_UP.name: {("r-1",): 0, ("r-2",): 1},
        of.BREAKER.name: {("r-1", "open"): 1},
        of.INFLIGHT.name: {(): 7},
    }
    assert one[of.ERRORS.name]["a",] == 2


def test_what_a_process_has_counted_outlives_it() -> None:
    """What it was doing does not."""
    snapshot: Snapshot = {of.ERRORS.name: {("a",): 2}, of.INFLIGHT.name: {(): 3}}
    assert lasting(snapshot) == {of.ERRORS.name: {("a",): 2}}


_SNAPSHOTS = st.fixed_dictionaries(
    {
        of.ERRORS.name: st.dictionaries(st.tuples(st.text(max_size=4)), st.integers(0, 2**40), max_size=3),
        of.OVERHEAD.name: st.dictionaries(
            st.tuples(st.sampled_from(["auth", "read"])),
            st.lists(st.integers(0, 99).map(float), min_size=3, max_size=3),
        ),
    }
)


@given(_SNAPSHOTS)
def test_a_snapshot_survives_the_way_to_another_worker(snapshot: Snapshot) -> None:
    """What it does not know, a worker that is older than the other leaves out."""
    told = codec.loads(codec.dumps(plain(snapshot)))
    assert read(told | {"gateway_of_tomorrow_total": [[[], 1]]}) == snapshot
