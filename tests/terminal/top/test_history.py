"""What was."""

from tests.terminal.top.fleet import replica
from vllm_gateway.terminal.top.history import MOST, History
from vllm_gateway.terminal.top.picture import Picture


def test_the_newest_value_is_the_last() -> None:
    """Of all together, and of each replica."""
    kept = History()
    for speed in (1.0, 2.0):
        kept.take(Picture(replicas=tuple(replica(n, made_per_s=speed * n, read_per_s=None) for n in (1, 2))))
    assert (kept.made, kept.read) == ([3, 6], [0, 0])
    assert (kept.made_by("tiny-2"), kept.made_by("tiny-9")) == ([2, 4], [])


def test_a_replica_that_is_gone_is_forgotten() -> None:
    """When it comes back, it begins anew."""
    kept = History()
    for there in (True, False, True):
        kept.take(Picture(replicas=(replica(1, made_per_s=5.0),) if there else ()))
    assert kept.made_by("tiny-1") == [5]
    assert kept.made == [5, 0, 5]


def test_no_more_is_kept_than_is_shown() -> None:
    """It runs for weeks."""
    kept = History()
    for _ in range(MOST + 10):
        kept.take(Picture(replicas=(replica(1),)))
    assert len(kept.made) == len(kept.read) == len(kept.made_by("tiny-1")) == MOST
